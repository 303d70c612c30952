// Runs in the page's own world before any of its scripts, in each of its frames. Knows which timers, animation frames and
// idle callbacks are still to come, and when scripts last drew on a canvas or scrolled. rest.js asks it by an event.
token => {
    const scope = globalThis;
    const { Proxy, Reflect, Map, Set, WeakSet, Object, Number, JSON, Math, Infinity, CustomEvent, performance } = scope;
    const { apply } = Reflect;
    const { then } = scope.Promise.prototype;
    const clock = performance.now.bind(performance);
    // Timers that are due later than this after they were set are not waited for in any case.
    const LONGEST = 1000;
    // Intervals of at most this period may be the steps of a movement.
    const TICK = 100;
    const timers = new Map();
    const intervals = new Map();
    const frames = new Map();
    const idles = new Map();
    // Workers that were sent a message and have not said anything since, with the time of the message.
    const asked = new Map();
    // Modules of WebAssembly that are being compiled.
    let compiling = 0;
    let drawn = -Infinity;
    let scrolled = -Infinity;

    // A Proxy of the native function: pages that look at it see a native function.
    const replace = (owner, name, call) => {
        const own = owner && Object.getOwnPropertyDescriptor(owner, name);
        if (!own || !own.configurable || typeof own.value !== 'function') return;
        Object.defineProperty(owner, name, { ...own, value: new Proxy(own.value, { apply: call }) });
    };
    // Has `begin` schedule the callback, and keeps it in `pending` until it first runs.
    const schedule = (pending, due) => (begin, self, values) => {
        const [action, ...rest] = values;
        if (typeof action !== 'function' || due(rest[0]) > LONGEST) return apply(begin, self, values);
        let id;
        const run = function () {
            pending.delete(id);
            return apply(action, this, arguments);
        };
        id = apply(begin, self, [run, ...rest]);
        pending.set(id, clock() + due(rest[0]));
        return id;
    };
    const cancel = (...all) => (end, self, values) => {
        for (const pending of all) pending.delete(values[0]);
        return apply(end, self, values);
    };
    const delay = ms => typeof ms === 'object' ? Infinity : Math.max(0, Number(ms) || 0);
    replace(scope, 'setTimeout', schedule(timers, delay));
    const ticking = new Set();
    const interval = schedule(intervals, delay);
    replace(scope, 'setInterval', (begin, self, values) => {
        const id = interval(begin, self, values);
        if (delay(values[1]) <= TICK) ticking.add(id);
        return id;
    });
    replace(scope, 'requestAnimationFrame', schedule(frames, () => 0));
    replace(scope, 'requestIdleCallback', schedule(idles, () => 0));
    replace(scope, 'clearTimeout', cancel(timers, intervals, ticking));
    replace(scope, 'clearInterval', cancel(timers, intervals, ticking));
    replace(scope, 'cancelAnimationFrame', cancel(frames));
    replace(scope, 'cancelIdleCallback', cancel(idles));

    const { Worker, WebAssembly } = scope;
    if (Worker) {
        const heard = new WeakSet();
        const { addEventListener } = scope.EventTarget.prototype;
        replace(Worker.prototype, 'postMessage', (post, worker, values) => {
            const result = apply(post, worker, values);
            if (!heard.has(worker)) {
                heard.add(worker);
                const answered = () => { asked.delete(worker); };
                for (const name of ['message', 'error']) apply(addEventListener, worker, [name, answered]);
            }
            if (asked.size < 64) asked.set(worker, clock());
            return result;
        });
    }
    for (const name of ['compile', 'compileStreaming', 'instantiate', 'instantiateStreaming']) {
        replace(WebAssembly, name, (compile, self, values) => {
            compiling++;
            const done = () => { compiling--; };
            const module = apply(compile, self, values);
            apply(then, module, [done, done]);
            return module;
        });
    }

    // From the first question on: no page pays for this while it loads.
    let watching = false;
    const watch = () => {
        if (watching) return;
        watching = true;
        const note = (draw, self, values) => {
            drawn = clock();
            return apply(draw, self, values);
        };
        const { CanvasRenderingContext2D, WebGLRenderingContext, WebGL2RenderingContext, ImageBitmapRenderingContext } = scope;
        const flat = ['clearRect', 'drawImage', 'fill', 'fillRect', 'fillText', 'putImageData', 'stroke', 'strokeRect', 'strokeText'];
        const deep = ['clear', 'drawArrays', 'drawArraysInstanced', 'drawElements', 'drawElementsInstanced', 'drawRangeElements'];
        for (const [context, names] of [
            [CanvasRenderingContext2D, flat],
            [WebGLRenderingContext, deep],
            [WebGL2RenderingContext, deep],
            [ImageBitmapRenderingContext, ['transferFromImageBitmap']],
        ]) {
            for (const name of names) if (context) replace(context.prototype, name, note);
        }
    };
    // A smooth scroll has no event before its first frame. The events themselves are seen by rest.js.
    const scroll = (begin, self, values) => {
        scrolled = clock();
        return apply(begin, self, values);
    };
    for (const owner of [scope, scope.Element.prototype]) {
        for (const name of ['scroll', 'scrollBy', 'scrollIntoView', 'scrollTo']) replace(owner, name, scroll);
    }

    scope.addEventListener(token + '?', question => {
        question.preventDefault();
        watch();
        const now = clock();
        const next = pending => Math.min(...Array.from(pending.values(), due => Math.max(0, due - now)));
        const state = {
            // Milliseconds until the next timer, and until an interval first runs; null without any.
            timer: Math.min(next(timers), next(intervals)),
            frames: frames.size,
            ticking: ticking.size,
            idles: idles.size,
            compiling,
            // Milliseconds since the last message to a worker that has not answered.
            asked: now - Math.max(-Infinity, ...asked.values()),
            // Milliseconds since.
            drew: now - drawn,
            scrolled: now - scrolled,
        };
        scope.dispatchEvent(new CustomEvent(token + '!', { detail: JSON.stringify(state) }));
    });
}
