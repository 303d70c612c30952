// Waits until an element matches the selector.
async ({ want, pause, find }) => {
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
