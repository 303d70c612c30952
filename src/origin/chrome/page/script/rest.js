// Waits until the page is at rest, for `want.ms` at most: fonts, images, layout shifts, a scroll under way, short timers, and
// drawing by scripts. Requests are counted outside, see pending.rs. Answers with what it would still wait for.
async ({ want, pause, frame, drawn, within, roots, all, left, inView }) => {
    if (!want.settle) return {};
    // Timers that are due within so many milliseconds belong to the loading of the page.
    const TIMERS = 500;
    // Charts and reveals draw for a second or so; what draws for longer draws for ever.
    const DRAWING = 1500;
    // A change counts as part of a movement for so many milliseconds: some frames on a busy machine.
    const RECENT = 100;
    // Boxes that come one after the other come at such steps.
    const STEP = 350;
    // A worker answers within so many milliseconds, or not at all.
    const WORKER = 1000;
    // A script that has just arrived is compiled, and what it imports is requested, within so many.
    const ARRIVED = 100;
    // Elements whose scripts are loaded are defined within so many.
    const DEFINED = 300;
    // Looks without a change, each some frames after the other, until drawing has ended.
    const CALM = 2;
    // A scroll ends within so many milliseconds.
    const SCROLL = 1500;
    // Some frames.
    const FRAMES = 50;
    // What has no answer after this is not waited for, as in pending.rs.
    const UNANSWERED = 2000;
    // A frame inside the page gets no animation frames where it is out of sight.
    const next = want.inner ? () => Promise.race([frame(), pause(FRAMES)]) : frame;
    const shown = want.inner ? next : drawn;
    const begun = performance.now();
    const age = () => performance.now() - begun;

    // Layout shifts, including those before this step.
    let shifted = -Infinity;
    let takeShifts = () => {};
    try {
        const note = entries => {
            for (const entry of entries) shifted = Math.max(shifted, entry.startTime);
        };
        const observer = new PerformanceObserver(list => note(list.getEntries()));
        observer.observe({ type: 'layout-shift', buffered: true });
        takeShifts = () => note(observer.takeRecords());
    } catch { /* not supported */ }

    // Changes of the document by scripts from now on.
    let changed = -Infinity;
    const mutations = new MutationObserver(() => { changed = performance.now(); });
    for (const root of roots()) {
        mutations.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    }

    // Scrolls of anything from now on.
    let moved = -Infinity;
    const move = () => { moved = performance.now(); };
    addEventListener('scroll', move, { capture: true, passive: true });

    // What the monitor in the page's own world knows; nothing where no script ever ran.
    const ask = () => {
        let state = {};
        const take = answer => { state = JSON.parse(answer.detail); };
        addEventListener(want.monitor + '!', take, { once: true });
        dispatchEvent(new CustomEvent(want.monitor + '?', { cancelable: true }));
        removeEventListener(want.monitor + '!', take);
        return state;
    };

    const isPainted = () => performance.getEntriesByName('first-contentful-paint').length > 0;

    const seen = new Set();
    // What is outside of the picture need not be decoded. Its request is waited for all the same, see pending.rs.
    const isWanted = image => want.viewport ? inView(image)
        : want.fullPage || image.loading !== 'lazy' || inView(image);
    const unseen = () => Array.from(document.images || [])
        .filter(image => !seen.has(image.currentSrc || image.src) && isWanted(image));

    // The place of the viewport, as a smooth scroll moves it between frames without an event of its own yet.
    let place = [scrollX, scrollY];
    let drawing = false;
    let calm = 0;
    let steady = 0;
    let looked = begun;
    const waitingFor = () => {
        takeShifts();
        let { timer, frames = 0, idles = 0, ticking = 0, compiling = 0, asked, drew, scrolled } = ask();
        // Something changed, and more is to come.
        const goesOn = frames || ticking || (timer ?? null) !== null;
        const since = Math.min(performance.now() - changed, drew ?? Infinity);
        // Frames may come slowly: on a busy machine it is their number that tells, not the time.
        const elapsed = performance.now() - looked;
        calm = since < elapsed ? 0 : calm + 1;
        looked = performance.now();
        drawing = frames && calm < CALM || goesOn && since < RECENT || (timer ?? Infinity) <= STEP && since < STEP;
        const before = place;
        place = [scrollX, scrollY];
        if (document.fonts && document.fonts.status === 'loading') return 'font';
        if (unseen().length) return 'image';
        if (performance.now() - shifted < RECENT) return 'layout';
        scrolled = Math.min(scrolled ?? Infinity, performance.now() - moved);
        const scrolls = scrolled < elapsed || String(before) !== String(place);
        steady = scrolls ? 0 : steady + 1;
        if (scrolls || scrolled < RECENT || steady < CALM && scrolled < SCROLL) return 'scroll';
        // A smooth scroll to the fragment begins some frames after the load.
        if (location.hash.length > 1 && age() < FRAMES) return 'scroll';
        if (want.arrived && age() < ARRIVED) return 'script';
        if (age() < DEFINED && document.querySelector(':not(:defined)')) return 'element';
        if (compiling && age() < WORKER) return 'script';
        if ((asked ?? Infinity) < WORKER && age() < WORKER) return 'worker';
        if (age() + (timer ?? Infinity) <= TIMERS) return 'timer';
        if (idles && age() < TIMERS) return 'timer';
        if (drawing && age() < DRAWING) return 'drawing';
        // A page of scripts that shows nothing yet. Its picture would be blank, which is an error.
        if (want.painted && document.scripts.length && !isPainted()) return 'paint';
        return undefined;
    };
    // Other tasks come first: parsers, callbacks of what has just arrived.
    const idle = () => Promise.race([pause(200), globalThis.scheduler && scheduler.postTask
        ? scheduler.postTask(() => {}, { priority: 'background' })
        : pause(0)]);

    let waiting;
    // What was waited for may begin something else in the frames after it, so it takes two looks to see that nothing did.
    let looks = 1;
    do {
        const images = unseen();
        for (const image of images) seen.add(image.currentSrc || image.src);
        const fonts = document.fonts ? document.fonts.ready : undefined;
        const decoded = images.map(image => image.decode().catch(() => {}));
        await within(Math.min(left(), UNANSWERED), fonts, ...decoded);
        // What came is drawn, and its layout shifts are reported.
        await shown();
        waiting = waitingFor();
        if (waiting === undefined) {
            await idle();
            waiting = waitingFor();
        }
        looks = waiting === undefined ? looks - 1 : 2;
        if (looks > 0 && left() > 0) await next();
    } while (looks > 0 && left() > 0);
    mutations.disconnect();
    removeEventListener('scroll', move, { capture: true });
    // Drawing that does not end is not waited for longer, and told.
    if (waiting === undefined && drawing) waiting = 'drawing';
    return { waiting, frames: all('iframe,frame,object,embed').length };
}
