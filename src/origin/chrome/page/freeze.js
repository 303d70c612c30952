// Runs before anything of a page, in each of its frames and workers. Its clock begins at `set.now` and moves only when
// page_clock.rs says so, by steps: timers and animation frames run in the order in which they are due, without waiting for
// real time. So what a page draws does not depend on how fast it loads or runs. Random numbers are the same each time.
set => {
    const scope = globalThis;
    const ASKED = set.token + '?';
    const ANSWER = set.token + '!';
    const { Array, Date, Math, Number, Object, Promise, Proxy, Reflect, Map, Set, String, Uint8Array, WeakSet } = scope;
    const { setTimeout, requestAnimationFrame, queueMicrotask, reportError, scheduler, document } = scope;
    const { apply } = Reflect;

    // Turns of the real event loop. None of them may throw.
    const post = scheduler && scheduler.postTask;
    const turn = (run, priority, delay = 0) => {
        if (post) apply(post, scheduler, [run, { priority, delay }]);
        else apply(setTimeout, scope, [run, delay]);
    };
    const once = run => {
        let done = false;
        return () => {
            if (done) return;
            done = true;
            run();
        };
    };
    // After every task that is ready: messages that a script sent to itself, answers that have come.
    const drained = run => {
        run = once(run);
        turn(run, 'background');
        // A page that never has nothing to do.
        turn(run, 'user-blocking', 50);
    };
    // After a frame, with which observers of size and visibility report. What is out of sight gets no frames.
    let hasFrames = Boolean(document && requestAnimationFrame);
    const framed = run => {
        if (!document || !requestAnimationFrame) return drained(run);
        const go = once(() => drained(run));
        apply(requestAnimationFrame, scope, [() => {
            hasFrames = true;
            turn(go, 'user-blocking');
        }]);
        if (hasFrames) {
            turn(() => {
                hasFrames = false;
                go();
            }, 'user-blocking', 200);
        } else {
            go();
        }
    };

    // Milliseconds since the beginning: now, and until when scripts may run.
    let now = 0;
    let granted = 0;
    // What is still to come, by the time when it is due.
    const queue = [];
    // Everything that a task sets off belongs to its chain, which ends some time after the task that began it.
    let chain;
    let level = 0;
    let number = 0;
    const LAST = 3 * set.span;
    const add = (due, run) => {
        const own = chain || { end: Math.min(now + set.span, Math.max(LAST, now)) };
        const task = { due, run, chain: own, level: level + 1, id: ++number };
        if (due > own.end) return task;
        let at = queue.length;
        while (at > 0 && queue[at - 1].due > due) at--;
        queue.splice(at, 0, task);
        return task;
    };
    const remove = test => {
        const at = queue.findIndex(test);
        if (at >= 0) queue.splice(at, 1);
        if (!queue.length) tellIdle();
    };

    // A loop that waits for the clock to go on gets its way.
    let reads = 0;
    let counted = true;
    // Dates that are read one after the other differ by a millisecond, unless it is without a pause: scripts take them for
    // names that nothing else has.
    let pauses = 0;
    let dated = false;
    let last = 0;
    const clock = () => {
        if (++reads > 10000) now++;
        if (counted) {
            counted = false;
            queueMicrotask(() => {
                if (dated) pauses++;
                counted = true;
                dated = false;
                reads = 0;
            });
        }
        return now;
    };
    const wall = () => {
        last = Math.max(last, clock() + pauses);
        dated = true;
        return Math.floor(set.now + last);
    };
    const move = to => {
        if (to > now) pauses = 0;
        now = Math.max(now, to);
    };

    const call = (action, values) => {
        try {
            if (typeof action === 'function') apply(action, scope, values);
            else (0, scope.eval)(String(action));
        } catch (error) {
            if (reportError) apply(reportError, scope, [error]);
        }
    };
    // Runs what is due until `granted`. Each task has a turn of its own, and time passes when nothing else is ready.
    let running = false;
    let ends = [];
    const step = () => {
        const next = queue[0];
        if (!next || next.due > granted) {
            running = false;
            for (const end of ends.splice(0)) end();
            return;
        }
        queue.shift();
        move(next.due);
        chain = next.chain;
        level = next.level;
        next.run(next);
        level = 0;
        const more = queue[0] && queue[0].due <= now ? run => turn(run, 'user-blocking') : drained;
        more(() => {
            chain = undefined;
            step();
        });
    };
    const run = end => {
        ends.push(end);
        if (running) return;
        running = true;
        drained(step);
    };

    // Who waits until nothing is to come.
    let idlers = [];
    const tellIdle = () => {
        if (queue.length || running) return;
        for (const idle of idlers.splice(0)) idle();
    };
    const idle = done => drained(() => {
        idlers.push(done);
        tellIdle();
    });
    // A script that has come is compiled by another thread before it runs, and nothing else tells that it will.
    const { Performance, performance } = scope;
    const realTime = Performance && Performance.prototype.now;
    const ran = new WeakSet();
    const isCompiled = script => {
        if (!script.src || script.noModule || ran.has(script)) return false;
        const time = apply(realTime, performance, []);
        return performance.getEntriesByName(script.src).some(({ responseEnd }) => responseEnd > 0 && time - responseEnd < 2000);
    };
    if (document) {
        for (const name of ['load', 'error']) document.addEventListener(name, ({ target }) => ran.add(target), true);
    }
    const compiled = (run, looks = 0) => {
        if (!document || looks === 200 || !Array.prototype.some.call(document.scripts, isCompiled)) return run();
        turn(() => compiled(run, looks + 1), 'user-blocking', 10);
    };
    // Lets time pass, `by` milliseconds. Answers with the time until the next task after that, if there is one.
    const advance = (by, done) => {
        granted = Math.max(granted, now) + by;
        run(() => {
            move(granted);
            framed(() => compiled(() => run(() => {
                tellIdle();
                done(queue.length ? Math.max(0, queue[0].due - granted) : -1);
            })));
        });
    };
    // What a script asks of the network comes before anything later.
    const hold = () => { granted = Math.min(granted, now); };

    const delay = (ms, least) => Math.max(level > 5 ? 4 : least, Number(ms) || 0);
    const replace = (owner, name, value) => {
        if (owner && name in owner) {
            Object.defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: true });
        }
    };
    replace(scope, 'setTimeout', function (action, ms, ...values) {
        return add(now + delay(ms, 1), () => call(action, values)).id;
    });
    replace(scope, 'setInterval', function (action, ms, ...values) {
        const period = delay(ms, 4);
        const again = task => {
            const next = add(task.due + period, again);
            next.id = task.id;
            call(action, values);
        };
        return add(now + period, again).id;
    });
    const clear = function (id) { remove(task => task.id === id); };
    replace(scope, 'clearTimeout', clear);
    replace(scope, 'clearInterval', clear);
    // Each frame of WebGL takes a tenth of a second without a graphics card.
    let frame = 1000 / 60;
    const { HTMLCanvasElement } = scope;
    if (HTMLCanvasElement) {
        const { getContext } = HTMLCanvasElement.prototype;
        replace(HTMLCanvasElement.prototype, 'getContext', function (...values) {
            const context = apply(getContext, this, values);
            if (context && /webgl/.test(values[0])) frame = 100;
            return context;
        });
    }
    if (requestAnimationFrame) {
        replace(scope, 'requestAnimationFrame', function (action) {
            const due = (Math.floor(now / frame + 0.001) + 1) * frame;
            return add(due, () => call(action, [due + 1000])).id;
        });
        replace(scope, 'cancelAnimationFrame', clear);
    }
    if (scope.requestIdleCallback) {
        replace(scope, 'requestIdleCallback', function (action) {
            let looks = 0;
            // Less each time, so that a loop that uses up its time ends.
            const deadline = { didTimeout: false, timeRemaining: () => Math.max(0, 10 - looks++ * 0.1) };
            return add(now + 1, () => call(action, [deadline])).id;
        });
        replace(scope, 'cancelIdleCallback', clear);
    }
    for (const [owner, name] of [[scope, 'fetch'], [(scope.XMLHttpRequest || {}).prototype, 'send']]) {
        if (!owner || !owner[name]) continue;
        replace(owner, name, new Proxy(owner[name], {
            apply: (target, self, values) => {
                hold();
                return apply(target, self, values);
            },
        }));
    }

    // Every way to read the clock.
    const frozen = new Proxy(Date, {
        construct: (target, values, made) =>
            Reflect.construct(target, values.length ? values : [wall()], made === frozen ? target : made),
        apply: () => new Date(wall()).toString(),
    });
    Date.now = function () { return wall(); };
    Date.prototype.constructor = frozen;
    replace(scope, 'Date', frozen);
    const { Intl, Temporal, Crypto, crypto } = scope;
    if (Performance) {
        replace(Performance.prototype, 'now', function () { return 1000 + clock(); });
        Object.defineProperty(Performance.prototype, 'timeOrigin', { get: () => set.now - 1000, configurable: true, enumerable: true });
    }
    const format = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format');
    Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {
        ...format,
        get() { const own = apply(format.get, this, []); return date => own(date === undefined ? wall() : date); },
    });
    const parts = Intl.DateTimeFormat.prototype.formatToParts;
    Intl.DateTimeFormat.prototype.formatToParts = function formatToParts(date) {
        return apply(parts, this, [date === undefined ? wall() : date]);
    };
    if (Temporal && Temporal.Now) {
        const { Instant, Now } = Temporal;
        const zone = Now.timeZoneId;
        const instant = () => Instant.fromEpochMilliseconds(wall());
        const zoned = (where = zone()) => instant().toZonedDateTimeISO(where);
        Object.assign(Now, {
            instant,
            zonedDateTimeISO: zoned,
            plainDateTimeISO: where => zoned(where).toPlainDateTime(),
            plainDateISO: where => zoned(where).toPlainDate(),
            plainTimeISO: where => zoned(where).toPlainTime(),
        });
    }

    // Random numbers: mulberry32, from the same beginning each time.
    let state = 0x7469_6e74;
    const random = () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return (mixed ^ (mixed >>> 14)) >>> 0;
    };
    Math.random = function () { return random() / 4294967296; };
    if (Crypto && crypto) {
        const fill = Crypto.prototype.getRandomValues;
        Crypto.prototype.getRandomValues = function getRandomValues(array) {
            // What cannot be filled throws as ever.
            apply(fill, this, [array]);
            const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
            for (let at = 0; at < bytes.length; at++) bytes[at] = random();
            return array;
        };
        if (Crypto.prototype.randomUUID) {
            Crypto.prototype.randomUUID = function randomUUID() {
                const digits = [];
                while (digits.length < 32) digits.push((random() % 16).toString(16));
                digits[12] = '4';
                digits[16] = '89ab'[random() % 4];
                const text = digits.join('');
                return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
            };
        }
    }

    // Workers. What one has said has reached this page when its word of the same round has.
    let made = 0;
    const live = new Set();
    const heard = new Map();
    const { Worker } = scope;
    if (Worker) {
        replace(scope, 'Worker', new Proxy(Worker, {
            construct: (target, values, making) => {
                const worker = Reflect.construct(target, values, making);
                made++;
                live.add(worker);
                worker.addEventListener('error', () => live.delete(worker));
                worker.addEventListener('message', event => {
                    if (typeof event.data !== 'string' || !event.data.startsWith(ANSWER)) return;
                    event.stopImmediatePropagation();
                    heard.set(worker, event.data);
                });
                return worker;
            },
        }));
        const { terminate } = Worker.prototype;
        replace(Worker.prototype, 'terminate', function () {
            live.delete(this);
            return apply(terminate, this, []);
        });
    }
    const listened = (round, done, looks = 0) => {
        let all = true;
        for (const worker of live) all = all && heard.get(worker) === ANSWER + round;
        // One that ended itself says nothing more.
        if (all || looks === 50) return drained(done);
        turn(() => listened(round, done, looks + 1), 'user-blocking', 10);
    };

    // What page_clock.rs and the steps of a capture ask, as "ID WHAT VALUE": `advance` the clock by so many milliseconds, tell
    // when the page is `idle`, or when it has `heard` its workers in a round; a worker can `speak` to the page. The answer is
    // "ID NEXT WORKERS": milliseconds to the next task, -1 without one, and how many workers were made.
    const answer = (asked, done) => {
        const [id, what, value] = asked.split(' ');
        const tell = (next = queue.length ? 0 : -1) => done(`${id} ${next} ${made}`);
        if (what === 'advance') return advance(Number(value), tell);
        if (what === 'idle') return idle(() => tell());
        if (what === 'heard') return listened(value, () => tell());
        if (what === 'speak') apply(say, scope, [ANSWER + value]);
        tell();
    };
    const say = scope.postMessage;
    // Frames are asked from another world, by events; workers by name.
    if (document) {
        const { CustomEvent } = scope;
        scope.addEventListener(ASKED, asked => {
            asked.preventDefault();
            answer(asked.detail, told => scope.dispatchEvent(new CustomEvent(ANSWER, { detail: told })));
        });
    } else {
        Object.defineProperty(scope, set.token, { value: asked => new Promise(done => answer(asked, done)) });
    }
}
