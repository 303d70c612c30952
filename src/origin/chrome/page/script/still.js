// Stops every movement: at its end if it has one, else at its beginning.
async ({ want, frame, within, roots, all, sheet, runOut }) => {
    await runOut();
    // What a frozen page drew last has to be on the screen.
    let moved = Boolean(want.frozen);
    const event = (target, ...names) => new Promise(done => {
        for (const name of names) target.addEventListener(name, done, { once: true });
    });
    const running = () => roots().flatMap(root => root.getAnimations ? root.getAnimations() : []);
    // The ring that turns in the controls of a film that loads is in a tree of the browser, which no script can look into.
    // It inherits its visibility from the controls.
    // Blink leaves out a background that an opaque image covers, and knows that an image is opaque once it is decoded. Boxes
    // that were painted before that keep their background, which shows at round corners. A colour of column rules, which is
    // computed from the one they have by default, has all boxes painted again.
    const steady = `
        *, *::before, *::after {
            caret-color: transparent !important;
            scroll-behavior: auto !important;
            transition: none !important;
            animation-play-state: paused !important;
        }
        :where(*) { column-rule-color: color-mix(in srgb, currentcolor, currentcolor); }
        video::-webkit-media-controls { visibility: hidden !important; }
        video::-webkit-media-controls-enclosure,
        video::-webkit-media-controls-overlay-enclosure { visibility: visible !important; }`;
    const steadied = new WeakSet();
    const steadyAll = () => {
        for (const root of roots()) {
            if (!steadied.has(root)) sheet(root, steady);
            steadied.add(root);
        }
    };
    const isEndless = animation => {
        try { return !Number.isFinite(animation.effect.getComputedTiming().endTime); } catch { return false; }
    };
    // Transitions come to their end, and scripts hear of it: what a script has yet to tidy up would be drawn in layers of its
    // own, whose edges are smoothed otherwise. What is set off by an end is brought to its end too, some times.
    const endTransitions = async () => {
        for (let rounds = 0; rounds < 3; rounds++) {
            const transitions = running().filter(animation => 'transitionProperty' in animation);
            if (!transitions.length) return;
            moved = true;
            for (const transition of transitions) {
                try { transition.finish(); } catch { /* gone */ }
            }
            await frame();
            await frame();
        }
    };
    const stopAll = async () => {
        await endTransitions();
        moved ||= running().length > 0;
        steadyAll();
        const animations = running();
        if (!animations.length) return false;
        for (const animation of animations) {
            // Chrome's compositor keeps the place where it had moved something if the page's own thread sees no change: so it
            // is shown one on the way.
            try {
                animation.pause();
                animation.currentTime += 40;
            } catch { /* bound to something else than time */ }
        }
        for (let frames = 0; frames < 3; frames++) await frame();
        for (const animation of animations) {
            try {
                if (isEndless(animation)) animation.currentTime = 0;
                else animation.finish();
            } catch { /* bound to something else than time */ }
        }
        return true;
    };
    moved = await stopAll() || moved;
    for (const svg of all('svg')) {
        moved ||= svg.querySelector('animate, animateMotion, animateTransform, set') !== null;
        try { svg.pauseAnimations(); svg.setCurrentTime(0); } catch { /* not shown */ }
    }
    // These move by themselves, out of reach of getAnimations. A marquee ends where all of its text is visible.
    for (const marquee of all('marquee')) {
        moved = true;
        Object.assign(marquee, { behavior: 'slide', loop: 1, scrollDelay: 1, scrollAmount: 1e6 });
        marquee.start();
    }
    for (const progress of all('progress:indeterminate')) {
        moved = true;
        progress.value = 0;
    }
    const films = all('video').map(async film => {
        film.autoplay = false;
        film.pause();
        // A film that loads shows its first frame soon, or nothing.
        const isLoading = film.networkState === film.NETWORK_LOADING && film.readyState < film.HAVE_CURRENT_DATA;
        if (isLoading) await within(1000, event(film, 'loadeddata', 'error', 'suspend', 'emptied'));
        if (film.currentTime > 0) {
            const there = event(film, 'seeked');
            film.currentTime = 0;
            await within(500, there);
        }
        return isLoading;
    });
    // The picture has a frame of its own; but what stopped may have told scripts, which change something in turn.
    if (moved || films.length) {
        await within(1600, ...films);
        await frame();
        await frame();
    }
    // Scripts that hear of an end begin the next movement.
    if (moved) {
        await runOut();
        if (running().some(animation => animation.playState === 'running')) await stopAll();
    }
    // For measure.js.
    return {};
}
