// What the steps of a capture share. Runs in an isolated world, where the page has nothing to tamper with. `want` holds the
// parameters of the capture, `steps` are functions that get these helpers; the answer is that of the last step.
async (want, ...steps) => {
    const pause = ms => new Promise(done => setTimeout(done, ms));
    // A page that draws no frames must not hold us up.
    const frame = () => Promise.race([new Promise(done => requestAnimationFrame(done)), pause(500)]);
    // A frame with all that is there now, on the screen: a task after its callbacks comes after its layout and paint.
    const drawn = () => Promise.race([pause(500), new Promise(done => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
    }))]);
    const within = (ms, ...promises) => Promise.race([Promise.all(promises).then(() => true), pause(ms).then(() => false)]);

    // The document, its shadow trees, and the frames that may be looked into.
    const walk = () => {
        const found = [document];
        for (let at = 0; at < found.length && found.length < 500; at++) {
            for (const element of found[at].querySelectorAll('*')) {
                if (element.shadowRoot) found.push(element.shadowRoot);
                if (element.localName === 'iframe' || element.localName === 'frame') {
                    try { if (element.contentDocument) found.push(element.contentDocument); } catch { /* another origin */ }
                }
            }
        }
        return found;
    };
    // Walking through a large document takes time: once for each step.
    let walked;
    const roots = () => walked ??= walk();
    const all = selector => roots().flatMap(root => Array.from(root.querySelectorAll(selector)));
    const bad = selector => {
        try { document.querySelector(selector); return false; } catch { return true; }
    };
    const find = selector => {
        for (const root of walk()) {
            const found = root.querySelector(selector);
            if (found) return found;
        }
    };
    const sheet = (root, css) => {
        try {
            const view = (root.ownerDocument || root).defaultView;
            const made = new view.CSSStyleSheet();
            made.replaceSync(css);
            root.adoptedStyleSheets = [...root.adoptedStyleSheets, made];
        } catch {
            const style = document.createElement('style');
            style.textContent = css;
            (root.head || root.documentElement || root).append(style);
        }
    };

    const started = performance.now();
    const left = () => Math.max(0, want.ms - (performance.now() - started));
    const inView = element => {
        const box = element.getBoundingClientRect();
        return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    };

    // Until nothing more is to come of a frozen page, see freeze.js.
    const runOut = () => {
        if (!want.frozen) return;
        const done = new Promise(done => {
            addEventListener(want.frozen + '!', function hear({ detail }) {
                if (!detail.startsWith('still ')) return;
                removeEventListener(want.frozen + '!', hear);
                done();
            });
        });
        // Where nobody hears it no script ever ran.
        if (dispatchEvent(new CustomEvent(want.frozen + '?', { cancelable: true, detail: 'still idle' }))) return;
        return within(want.patience, done);
    };

    const page = { want, pause, frame, drawn, within, roots, all, bad, find, sheet, left, inView, runOut };
    let answer;
    for (const step of steps) {
        walked = undefined;
        answer = await step(page);
    }
    return answer;
}
