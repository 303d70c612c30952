// Runs in a world of its own, where the page has nothing to tamper with. `want` is what the capture asks of it; each
// call does one step and answers with plain data. See page.rs.
async want => {
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
    const roots = () => {
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
    const all = selector => roots().flatMap(root => Array.from(root.querySelectorAll(selector)));
    const bad = selector => {
        try { document.querySelector(selector); return false; } catch { return true; }
    };
    const find = selector => {
        for (const root of roots()) {
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

    // Until nothing more is to come of a frozen page, see freeze.js.
    const runOut = () => {
        if (!want.frozen) return;
        let workers = 0;
        const done = new Promise(done => {
            addEventListener(want.frozen + '!', answer => { workers = answer.detail; done(); }, { once: true });
        });
        // Where nobody hears it no script ever ran.
        const ask = new CustomEvent(want.frozen + '?', { cancelable: true, detail: Boolean(want.listen) });
        if (dispatchEvent(ask)) return 0;
        return within(want.patience, done).then(() => workers);
    };

    // What moves stands still: at its end if it has one, else at its beginning.
    const still = async () => {
        // What a frozen page drew last has to be on the screen.
        let moved = Boolean(want.frozen);
        const steady = '*,*::before,*::after{caret-color:transparent !important;scroll-behavior:auto !important;' +
            'transition:none !important;animation-play-state:paused !important}';
        const running = roots().flatMap(root => {
            // Transitions end with the sheet; what they told is still to come.
            moved ||= root.getAnimations ? root.getAnimations().length > 0 : false;
            sheet(root, steady);
            return root.getAnimations ? root.getAnimations() : [];
        });
        for (const animation of running) {
            // Chrome's compositor keeps the place where it had moved something if the page's own thread sees no change: so it
            // is shown one on the way.
            try {
                animation.pause();
                animation.currentTime += 40;
            } catch { /* bound to something else than time */ }
        }
        if (running.length) {
            moved = true;
            for (let frames = 0; frames < 3; frames++) await frame();
        }
        for (const animation of running) {
            try {
                const { endTime } = animation.effect.getComputedTiming();
                if (Number.isFinite(endTime)) {
                    animation.finish();
                } else {
                    animation.currentTime = 0;
                }
            } catch { /* bound to something else than time */ }
        }
        for (const svg of all('svg')) {
            moved ||= svg.querySelector('animate, animateMotion, animateTransform, set') !== null;
            try { svg.pauseAnimations(); svg.setCurrentTime(0); } catch { /* not shown */ }
        }
        const films = all('video').map(async film => {
            film.autoplay = false;
            film.pause();
            if (film.currentTime > 0) {
                const there = new Promise(done => film.addEventListener('seeked', done, { once: true }));
                film.currentTime = 0;
                await within(500, there);
            }
        });
        // The picture has a frame of its own; but what stopped may have told scripts, which change something in turn.
        if (moved || films.length) {
            await within(600, ...films);
            await frame();
            await frame();
        }
    };

    if (want.step === 'runOut') {
        return { workers: await runOut() };
    }

    if (want.step === 'still') {
        await runOut();
        await still();
        return {};
    }

    if (want.step === 'dress') {
        for (const { parameter, selector } of want.selectors) {
            if (bad(selector)) return { bad: { parameter, selector } };
        }
        for (const css of want.css) sheet(document, css);
        if (want.hide.length) {
            const css = want.hide.map(selector => selector + '{display:none !important}').join('\n');
            for (const root of roots()) sheet(root, css);
        }
        return {};
    }

    if (want.step === 'wait') {
        const until = performance.now() + want.ms;
        while (!find(want.selector)) {
            if (performance.now() >= until) return { missing: true };
            await Promise.race([
                pause(100),
                new Promise(done => new MutationObserver((_, observer) => { observer.disconnect(); done(); })
                    .observe(document, { subtree: true, childList: true, attributes: true })),
            ]);
        }
        return {};
    }

    const started = performance.now();
    const left = () => Math.max(0, want.ms - (performance.now() - started));
    const inView = element => {
        const box = element.getBoundingClientRect();
        return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    };

    // A full page: what waits to be scrolled to is shown once.
    if (want.fullPage) {
        for (const image of document.querySelectorAll('img[loading=lazy], iframe[loading=lazy]')) image.loading = 'eager';
        const height = () => Math.min(document.documentElement.scrollHeight, want.maxHeight);
        const step = Math.max(100, Math.floor(innerHeight * 0.8));
        for (let top = step, steps = 0; top < height() && steps < 100 && left() > 0; top += step, steps++) {
            scrollTo({ top, behavior: 'instant' });
            await frame();
        }
        scrollTo({ top: 0, left: 0, behavior: 'instant' });
    }

    // At rest: fonts, images, and no shift of the layout for a moment.
    if (want.settle) {
        let shifted = -Infinity;
        let told = () => {};
        try {
            const note = entries => {
                for (const entry of entries) shifted = Math.max(shifted, entry.startTime);
            };
            const observer = new PerformanceObserver(list => note(list.getEntries()));
            observer.observe({ type: 'layout-shift', buffered: true });
            told = () => note(observer.takeRecords());
        } catch { /* not told */ }
        const seen = new Set();
        const unseen = () => Array.from(document.images || [])
            .filter(image => !seen.has(image.currentSrc || image.src))
            .filter(image => want.fullPage || image.loading !== 'lazy' || inView(image));
        const isMoving = () => {
            told();
            return performance.now() - shifted < 100 || (document.fonts && document.fonts.status === 'loading');
        };
        let images;
        do {
            images = unseen();
            for (const image of images) seen.add(image.currentSrc || image.src);
            const fonts = document.fonts ? document.fonts.ready : undefined;
            await within(left(), fonts, ...images.map(image => image.decode().catch(() => {})));
            // What came is drawn, and what it moved is told.
            await drawn();
        } while ((unseen().length || isMoving()) && left() > 0);
    }

    await runOut();
    await still();

    const navigation = performance.getEntriesByType('navigation')[0];
    const answer = { url: location.href, status: navigation ? navigation.responseStatus : 0, frames: all('iframe,frame,object,embed').length };
    if (want.content.length) {
        const text = document.body ? document.body.innerText : '';
        answer.content = want.content.find(wanted => text.includes(wanted));
    }
    if (want.selector) {
        const element = find(want.selector);
        if (element) {
            // An element in a frame is as far down as its frame.
            let { left: x, top: y, width, height } = element.getBoundingClientRect();
            for (let view = element.ownerDocument.defaultView; view !== window && view.frameElement; view = view.parent) {
                const box = view.frameElement.getBoundingClientRect();
                x += box.left + view.frameElement.clientLeft;
                y += box.top + view.frameElement.clientTop;
            }
            answer.element = { x: x + scrollX, y: y + scrollY, width, height };
        }
    }
    return answer;
}
