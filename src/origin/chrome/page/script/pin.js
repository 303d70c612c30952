// Makes the page look the same wherever it is scrolled to, so that a picture can be joined from
// screens. Runs once scripts are disabled, and without timers. Does nothing where the wanted part
// is on the screen already.
async page => {
    const { want, roots, styleOf, parentOf, isRoot, cuts, onScreen, holds, screen, touches, cutting, bring, range, shell, target } = page;
    const reach = range();
    const scrolls = reach.right > reach.left || reach.bottom > reach.top;
    const element = target();
    const put = (element, styles) => {
        // Elements of other kinds of XML have no style.
        for (const [name, value] of Object.entries(styles)) element.style?.setProperty(name, value, 'important');
    };
    if (element) bring(element);
    const inner = want.fullPage ? shell() : null;
    const around = element ? cutting(element) : [];
    const atTop = scrollX === 0 && scrollY === 0;
    const wanted = element ? onScreen(element) : want.clip && { ...want.clip, x: want.clip.x - scrollX, y: want.clip.y - scrollY };
    const isShown = wanted ? atTop && around.length === 0 && holds(screen(), wanted) : !scrolls && !inner;
    if (isShown) {
        page.pinned = false;
        return;
    }
    page.pinned = true;

    // Makes a box `more` higher.
    const grow = (box, more) => {
        const style = styleOf(box);
        const within = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom) + box.offsetHeight - box.clientHeight;
        const height = box.offsetHeight + more - (style.boxSizing === 'border-box' ? 0 : within);
        return { 'min-height': `${height}px`, 'max-height': 'none' };
    };
    const SHOWN = { 'overflow-x': 'visible', 'overflow-y': 'visible' };
    // A page that is as high as the screen and scrolls inside is made as high as what it scrolls.
    if (inner) {
        inner.scrollTo({ top: 0, left: 0, behavior: 'instant' });
        const more = inner.scrollHeight - inner.clientHeight;
        const boxes = [];
        for (let box = inner; box && !isRoot(box); box = parentOf(box)) {
            const fixed = styleOf(box).position === 'fixed' ? { position: 'absolute' } : {};
            boxes.push([box, { ...grow(box, more), ...(cuts(box) ? SHOWN : {}), ...fixed }]);
        }
        for (const [box, styles] of boxes) put(box, styles);
    }
    // An element that is larger than what it is scrolled in is shown beyond that.
    const free = element => {
        for (const box of cutting(element)) {
            if (!/auto|scroll/.test(styleOf(box).overflow)) continue;
            box.scrollTo({ top: 0, left: 0, behavior: 'instant' });
            put(box, { ...(box.scrollHeight > box.clientHeight ? grow(box, box.scrollHeight - box.clientHeight) : {}), ...SHOWN });
        }
    };
    if (element) free(element);

    scrollTo({ top: 0, left: 0, behavior: 'instant' });
    const look = element => {
        const { position, opacity, visibility, display } = styleOf(element);
        return { sticks: position === 'fixed' || position === 'sticky', opacity: visibility === 'visible' && display !== 'none' ? Number(opacity) : 0 };
    };
    // What was shown on its own screen and is as before now, since it left that screen.
    for (const [element, attributes] of want.fullPage && globalThis.told || []) {
        if (!element.isConnected || touches(element)) continue;
        for (const [name, { first, seen }] of attributes) {
            if (seen === first || (element.getAttribute(name) || '') !== (first || '')) continue;
            const put = value => value === null ? element.removeAttribute(name) : element.setAttribute(name, value);
            const before = look(element);
            const now = element.getAttribute(name);
            put(seen);
            const after = look(element);
            // A bar that stuck to its screen, or what was hidden there, is shown better as it is now.
            if (after.sticks > before.sticks || after.opacity < before.opacity) put(now);
        }
    }
    const root = document.documentElement;
    put(root, { 'scroll-snap-type': 'none', 'overflow-anchor': 'none' });
    if (document.body) put(document.body, { 'scroll-snap-type': 'none' });

    const [fixed, sticky, skipped] = [[], [], []];
    for (const tree of roots()) {
        if ((tree.ownerDocument || tree) !== document) continue;
        for (const element of tree.querySelectorAll('*')) {
            const style = getComputedStyle(element);
            if (style.position === 'fixed') fixed.push(element);
            else if (style.position === 'sticky') sticky.push(element);
            if (style.contentVisibility === 'auto') skipped.push(element);
        }
    }
    for (const element of skipped) put(element, { 'content-visibility': 'visible' });

    // What sticks stays where it is on the first screen, or where it would be without sticking.
    const sticksToPage = element => {
        for (let outer = parentOf(element); outer; outer = parentOf(outer)) if (cuts(outer)) return false;
        return true;
    };
    const stuck = sticky.filter(sticksToPage).map(element => ({ element, was: onScreen(element) }));
    for (const { element } of stuck) put(element, { position: 'relative', inset: 'auto' });
    for (const { element, was } of stuck) {
        const is = onScreen(element);
        if (was.y < innerHeight && (was.x !== is.x || was.y !== is.y)) {
            put(element, { left: `${was.x - is.x}px`, top: `${was.y - is.y}px` });
        }
    }

    // What comes in by its place on the screen is shown as it is in the middle of the screen.
    for (const animation of document.getAnimations()) {
        try {
            if (!(animation.timeline instanceof ViewTimeline)) continue;
            animation.pause();
            if (!(animation.currentTime.value >= 50)) animation.currentTime = CSS.percent(50);
        } catch { /* bound to nothing now */ }
    }

    // What is fixed to the screen is on the first one only, but for what lies behind the page.
    const far = range();
    const places = fixed.map(element => onScreen(element));
    const stack = () => {
        const points = [1, 3, 5, 7, 9].map(part => part / 10);
        return points.flatMap(x => points.map(y => document.elementsFromPoint(x * innerWidth, y * innerHeight)));
    };
    const within = (element, outer) => {
        for (let at = element; at; at = parentOf(at)) if (at === outer) return true;
        return false;
    };
    const isBehind = (element, index) => {
        if (!holds(places[index], screen())) return false;
        const { zIndex, pointerEvents } = styleOf(element);
        if (Number(zIndex) < 0) return true;
        if (pointerEvents === 'none') put(element, { 'pointer-events': 'auto' });
        return stack().some(found => {
            const at = found.findIndex(other => within(other, element));
            return at > 0 && found.slice(0, at).some(above => !fixed.some(other => within(above, other)));
        });
    };
    scrollTo({ left: far.right || far.left, top: far.bottom || far.top, behavior: 'instant' });
    const held = fixed.map(element => {
        const box = onScreen(element);
        return fixed.length > 0 && box;
    });
    const stays = fixed.map((_, index) => Math.abs(held[index].x - places[index].x) < 1 && Math.abs(held[index].y - places[index].y) < 1);
    const behind = fixed.map((element, index) => stays[index] && isBehind(element, index));
    scrollTo({ top: 0, left: 0, behavior: 'instant' });
    globalThis.bars = fixed.filter((bar, index) => stays[index] && !behind[index] && !fixed.some((outer, at) => behind[at] && within(bar, outer))
        && !(element && (within(element, bar) || within(bar, element))));
    if (element) bring(element);
}
