// Scrolls through a full page once, so that lazy content loads, and back to its top.
async ({ want, frame, left }) => {
    // Lazy content is loaded by its place on the screen.
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
}
