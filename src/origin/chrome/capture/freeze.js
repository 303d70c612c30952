// Runs before anything of a page, in each of its frames and workers: the clock begins at `set.now` and goes on only along
// chains of timers and frames, each for `set.span` milliseconds from the task that began it; random numbers are the same
// each time. So what a page draws does not depend on how fast it loads or runs. See prepare.rs.
set => {
    const scope = globalThis;
    const ASKED = set.token + '?';
    const ANSWER = set.token + '!';
    const { Date, Math, Promise, Reflect, Map, Set, Object, String, Uint8Array } = scope;
    const { setTimeout, clearTimeout, queueMicrotask, requestAnimationFrame, cancelAnimationFrame } = scope;
    const after = (ms, run) => Reflect.apply(setTimeout, scope, [run, ms]);

    // The age of the running task: how long the chain is that it belongs to.
    let age = 0;
    let spent = 0;
    let reads = 0;
    let forgetting = false;
    const clock = () => {
        // A loop that waits for the clock to go on gets its way.
        if (++reads > 10000) spent++;
        if (!forgetting) {
            forgetting = true;
            after(0, () => { forgetting = false; reads = 0; spent = 0; });
        }
        return age + spent;
    };
    const now = () => Math.floor(set.now + clock());

    // What is still to come, and who waits until nothing is.
    const pending = new Set();
    let waiting = [];
    const check = () => {
        if (pending.size) return;
        for (const done of waiting.splice(0)) done();
    };
    // Not before the script that may be running now has begun its timers.
    const idle = () => new Promise(done => after(0, () => { waiting.push(done); check(); }));
    const run = (at, action, values) => {
        age = at;
        reads = 0;
        spent = 0;
        // Promises that it keeps belong to it: they go on before any other task.
        let turns = 0;
        const end = () => {
            if (++turns < 64) return queueMicrotask(end);
            age = 0;
            check();
        };
        queueMicrotask(end);
        if (typeof action === 'function') Reflect.apply(action, scope, values);
        else (0, scope.eval)(String(action));
    };
    const never = () => after(2147483647, () => {});
    const delay = (ms, least) => Math.max(least, Number(ms) || 0);
    const replace = (owner, name, make) => {
        if (owner && name in owner) Object.defineProperty(owner, name, { value: make, writable: true, configurable: true, enumerable: true });
    };

    replace(scope, 'setTimeout', function (action, ms, ...values) {
        const due = age + delay(ms, 1);
        if (due > set.span) return never();
        const id = after(due - age, () => { pending.delete(id); run(due, action, values); });
        pending.add(id);
        return id;
    });
    const intervals = new Map();
    replace(scope, 'setInterval', function (action, ms, ...values) {
        const period = delay(ms, 4);
        let due = age;
        let id;
        const next = () => {
            due += period;
            if (due > set.span) { intervals.delete(id); return never(); }
            const timer = after(period, () => {
                pending.delete(timer);
                const at = due;
                next();
                run(at, action, values);
            });
            pending.add(timer);
            if (id !== undefined) intervals.set(id, timer);
            return timer;
        };
        id = next();
        intervals.set(id, id);
        return id;
    });
    const clear = id => {
        const timer = intervals.has(id) ? intervals.get(id) : id;
        intervals.delete(id);
        pending.delete(timer);
        Reflect.apply(clearTimeout, scope, [timer]);
        check();
    };
    replace(scope, 'clearTimeout', function (id) { clear(id); });
    replace(scope, 'clearInterval', function (id) { clear(id); });
    if (requestAnimationFrame) {
        const frames = new Map();
        replace(scope, 'requestAnimationFrame', function (action) {
            const due = age + 1000 / 60;
            const turn = {};
            const go = () => {
                if (!pending.delete(turn)) return;
                frames.delete(id);
                Reflect.apply(cancelAnimationFrame, scope, [id]);
                Reflect.apply(clearTimeout, scope, [turn.late]);
                run(due, action, [due + 1000]);
            };
            const id = Reflect.apply(requestAnimationFrame, scope, [go]);
            if (due <= set.span) {
                pending.add(turn);
                frames.set(id, turn);
                // What is out of sight gets no frames.
                turn.late = after(50, go);
            }
            return id;
        });
        replace(scope, 'cancelAnimationFrame', function (id) {
            pending.delete(frames.get(id));
            frames.delete(id);
            Reflect.apply(cancelAnimationFrame, scope, [id]);
            check();
        });
    }

    // Every way to read the clock.
    const frozen = new Proxy(Date, {
        construct: (target, values, made) =>
            Reflect.construct(target, values.length ? values : [now()], made === frozen ? target : made),
        apply: () => new Date(now()).toString(),
    });
    Date.now = function () { return now(); };
    Date.prototype.constructor = frozen;
    replace(scope, 'Date', frozen);
    const { Performance, Intl, Temporal, Crypto, crypto } = scope;
    if (Performance) {
        replace(Performance.prototype, 'now', function () { return 1000 + clock(); });
        Object.defineProperty(Performance.prototype, 'timeOrigin', { get: () => set.now - 1000, configurable: true, enumerable: true });
    }
    const format = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format');
    Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {
        ...format,
        get() { const own = Reflect.apply(format.get, this, []); return date => own(date === undefined ? now() : date); },
    });
    const parts = Intl.DateTimeFormat.prototype.formatToParts;
    Intl.DateTimeFormat.prototype.formatToParts = function formatToParts(date) {
        return Reflect.apply(parts, this, [date === undefined ? now() : date]);
    };
    if (Temporal && Temporal.Now) {
        const { Instant, Now } = Temporal;
        const zone = Now.timeZoneId;
        const instant = () => Instant.fromEpochMilliseconds(now());
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
            Reflect.apply(fill, this, [array]);
            const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
            for (let at = 0; at < bytes.length; at++) bytes[at] = random();
            return array;
        };
        if (Crypto.prototype.randomUUID) {
            Crypto.prototype.randomUUID = function randomUUID() {
                const digits = Array.from({ length: 32 }, () => (random() % 16).toString(16));
                digits[12] = '4';
                digits[16] = '89ab'[random() % 4];
                const text = digits.join('');
                return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
            };
        }
    }

    // A worker's last word is its answer to us: whatever it said before has come by then.
    let [made, heard] = [0, 0];
    const { Worker } = scope;
    if (Worker) {
        replace(scope, 'Worker', new Proxy(Worker, {
            construct: (target, values, making) => {
                const worker = Reflect.construct(target, values, making);
                made++;
                worker.addEventListener('message', event => {
                    if (event.data !== ANSWER) return;
                    event.stopImmediatePropagation();
                    heard++;
                });
                return worker;
            },
        }));
    }
    const allHeard = async () => {
        // One that was ended says nothing more.
        for (let looks = 0; heard < made && looks < 100; looks++) await new Promise(done => after(10, done));
    };

    // Frames are asked from another world, by events; workers by name.
    if (scope.document) {
        const { CustomEvent } = scope;
        scope.addEventListener(ASKED, asked => {
            asked.preventDefault();
            const listened = asked.detail ? allHeard() : Promise.resolve();
            listened.then(idle).then(() => scope.dispatchEvent(new CustomEvent(ANSWER, { detail: made })));
        });
    } else {
        const say = scope.postMessage;
        const answer = async () => {
            await idle();
            if (typeof say === 'function') Reflect.apply(say, scope, [ANSWER]);
        };
        Object.defineProperty(scope, set.token, { value: answer });
    }
}
