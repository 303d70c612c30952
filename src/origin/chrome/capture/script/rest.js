// Waits for fonts, images and layout shifts, for `want.ms` at most.
async ({ want, left, inView, within, drawn }) => {
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
}
