// The document that is about to be captured: its URL and status, and where the wanted element is.
async ({ want, all, find }) => {
    const navigation = performance.getEntriesByType('navigation')[0];
    const answer = { url: location.href, status: navigation ? navigation.responseStatus : 0, frames: all('iframe,frame,object,embed').length };
    answer.moved = Boolean(globalThis.moved);
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
