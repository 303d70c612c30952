// Adds what the steps that scroll have in common. Works without timers: these do not run once
// scripts are disabled.
async page => {
    const { want, find } = page;

    // The parent in the tree that is drawn: through slots, shadow trees and frames that may be
    // looked into.
    const parentOf = element => {
        if (element.assignedSlot) return element.assignedSlot;
        if (element.parentElement) return element.parentElement;
        const root = element.getRootNode();
        if (root.host) return root.host;
        const view = element.ownerDocument.defaultView;
        return view && view !== window ? view.frameElement : null;
    };
    const styleOf = element => element.ownerDocument.defaultView.getComputedStyle(element);
    const isRoot = element => element === element.ownerDocument.documentElement;
    // Whether the element scrolls or cuts off its content itself. `body` often passes its overflow
    // on to the viewport.
    const cuts = element => {
        if (isRoot(element)) return false;
        const style = styleOf(element);
        if (style.overflowX === 'visible' && style.overflowY === 'visible') return false;
        if (style.display === 'inline' || style.display === 'contents') return false;
        if (element.localName !== 'body') return true;
        const above = styleOf(element.ownerDocument.documentElement);
        return above.overflowX !== 'visible' || above.overflowY !== 'visible';
    };
    const boundsOf = element => element.getBoundingClientRect();

    // The box of an element on the screen of the page, in CSS pixels, whatever frames it is in.
    const onScreen = (element, box = boundsOf(element)) => {
        let { left: x, top: y, width, height } = box;
        for (let view = element.ownerDocument.defaultView; view !== window && view.frameElement; view = view.parent) {
            const frame = view.frameElement;
            const outer = boundsOf(frame);
            // A frame may be drawn larger or smaller than it is laid out.
            const [byX, byY] = [outer.width / frame.offsetWidth || 1, outer.height / frame.offsetHeight || 1];
            x = outer.left + (frame.clientLeft + x) * byX;
            y = outer.top + (frame.clientTop + y) * byY;
            width *= byX;
            height *= byY;
        }
        return { x, y, width, height };
    };
    const holds = (outer, inner) => inner.x >= outer.x - 1 && inner.y >= outer.y - 1 &&
        inner.x + inner.width <= outer.x + outer.width + 1 && inner.y + inner.height <= outer.y + outer.height + 1;
    const screen = () => ({ x: 0, y: 0, width: innerWidth, height: innerHeight });
    const touches = element => {
        const { x, y, width, height } = onScreen(element);
        return x < innerWidth && y < innerHeight && x + width > 0 && y + height > 0;
    };
    const inside = element => {
        const box = boundsOf(element);
        return onScreen(element, {
            left: box.left + element.clientLeft, top: box.top + element.clientTop,
            width: element.clientWidth, height: element.clientHeight,
        });
    };
    // Those around an element that cut a part of it off.
    const cutting = element => {
        const found = [];
        const box = onScreen(element);
        for (let outer = parentOf(element); outer; outer = parentOf(outer)) {
            if (cuts(outer) && !holds(inside(outer), box)) found.push(outer);
            // A frame shows its own viewport.
            if (outer.localName === 'iframe' && !holds(inside(outer), box)) found.push(outer);
        }
        return found;
    };
    // Scrolls everything around the element, unless all of it is on the screen already.
    const bring = element => {
        const box = onScreen(element);
        if (cutting(element).length === 0 && holds(screen(), box)) return false;
        element.scrollIntoView({
            block: box.height > innerHeight ? 'start' : 'center',
            inline: box.width > innerWidth ? 'start' : 'center', behavior: 'instant',
        });
        return true;
    };

    // How far the document scrolls. Those that run from right to left scroll to negative places.
    const range = () => {
        const [x, y] = [scrollX, scrollY];
        scrollTo({ left: -1e8, top: -1e8, behavior: 'instant' });
        const [left, top] = [scrollX, scrollY];
        scrollTo({ left: 1e8, top: 1e8, behavior: 'instant' });
        const [right, bottom] = [scrollX, scrollY];
        scrollTo({ left: x, top: y, behavior: 'instant' });
        return { left, top, right, bottom };
    };

    // What scrolls in place of the document, where one element does that for most of the screen, as
    // in web applications.
    const shell = () => {
        const scroller = document.scrollingElement || document.documentElement;
        if (!document.body || scroller.scrollHeight > innerHeight + 1) return null;
        let element = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
        for (; element; element = parentOf(element)) {
            if (element.ownerDocument !== document || isRoot(element)) return null;
            const { clientWidth, clientHeight, scrollHeight } = element;
            if (scrollHeight <= clientHeight + 1 || !cuts(element)) continue;
            if (!/auto|scroll/.test(getComputedStyle(element).overflowY)) continue;
            return clientWidth * 2 > innerWidth && clientHeight * 2 > innerHeight ? element : null;
        }
        return null;
    };

    const target = () => want.selector ? find(want.selector) : undefined;
    Object.assign(page, { parentOf, styleOf, isRoot, cuts, onScreen, holds, screen, touches, cutting, bring, range, shell, target });
}
