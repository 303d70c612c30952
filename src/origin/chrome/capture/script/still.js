// Stops every movement: at its end if it has one, else at its beginning.
async ({ want, frame, within, roots, all, sheet, runOut }) => {
    await runOut();
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
    return {};
}
