// How large the page and the screen are, how far the page scrolls, and where the wanted element is,
// in CSS pixels from where the page begins.
async ({ range, onScreen, target, pinned }) => {
    const { left, top, right, bottom } = range();
    const { width: seenWidth, height: seenHeight, scale } = visualViewport;
    const element = target();
    let box;
    if (element) {
        const { x, y, width, height } = onScreen(element);
        box = { x: x + scrollX, y: y + scrollY, width, height };
    }
    return {
        width: innerWidth, height: innerHeight, seenWidth, seenHeight, scale, left, top, right, bottom, x: scrollX, y: scrollY, element: box, pinned,
    };
}
