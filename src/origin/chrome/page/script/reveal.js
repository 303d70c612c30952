// Brings in what a page loads or shows by its place on the screen: scrolls through the wanted part
// by screens, and waits on each until its images are there. Some libraries give up loading an image
// that leaves the screen. `want.ms` bounds the scrolling, `want.patience` all of the waiting.
async ({ want, pause, frame, roots, left, screen, onScreen, holds, touches, bring, range, shell, target }) => {
    const trees = roots();
    const every = selector => trees.flatMap(tree => Array.from(tree.querySelectorAll(selector)));

    // What common libraries of lazy loading keep the address of an image in.
    const LATER = '[data-src],[data-srcset],[data-original],[data-lazy],[data-lazy-src],[data-bg],[data-background],[data-background-image]';
    const gaveUp = new Set();
    const isLoading = image => !image.complete && !gaveUp.has(image) && (image.src || image.srcset) && touches(image);
    const isPlaceholder = element => {
        if (gaveUp.has(element) || !touches(element)) return false;
        const wanted = Object.values(element.dataset).filter(value => value.length > 1);
        const shown = [element.src, element.srcset, element.style.backgroundImage].join(' ');
        if (wanted.some(value => shown.includes(value.replace(/^(\.\.?\/)+/, '')))) return false;
        // Without a size of its own there is nothing that could be shown.
        return element.localName === 'img' ? element.naturalWidth <= 1 || element.currentSrc.startsWith('data:')
            : element.localName !== 'source' && getComputedStyle(element).backgroundImage === 'none' && 'bg' in element.dataset;
    };
    let patience = want.patience;
    const arrived = async () => {
        const since = performance.now();
        const waited = () => performance.now() - since;
        while (patience > waited()) {
            const loading = every('img').filter(isLoading);
            const placeholders = waited() < 500 ? every(LATER).filter(isPlaceholder) : [];
            if (loading.length + placeholders.length === 0) break;
            if (waited() > want.ms) {
                for (const image of loading) gaveUp.add(image);
                break;
            }
            const come = loading.map(image => new Promise(done => {
                for (const event of ['load', 'error']) image.addEventListener(event, done, { once: true });
            }));
            await Promise.race([pause(placeholders.length ? 20 : 100), ...come]);
            if (waited() >= 500) for (const element of placeholders) gaveUp.add(element);
        }
        patience -= waited();
    };

    // Some pages hide what leaves the screen again. What an element said of itself on the screen is
    // kept for the picture, see pin.js.
    const told = globalThis.told = new Map();
    const changes = new MutationObserver(records => {
        for (const { target, attributeName: name, oldValue } of records) {
            if (name === 'style' || told.size > 20000) continue;
            if (!told.has(target)) told.set(target, new Map());
            const of = told.get(target);
            if (!of.has(name)) of.set(name, { first: oldValue, seen: oldValue });
        }
    });
    const watch = () => {
        for (const tree of trees) changes.observe(tree, { subtree: true, attributes: true, attributeOldValue: true });
    };
    const listen = () => {
        for (const [element, of] of told) {
            if (!touches(element)) continue;
            for (const [name, value] of of) value.seen = element.getAttribute(name);
        }
    };

    // Whether anything on the page may depend on where it is scrolled to.
    const reacts = want.listens || document.scripts.length > 0 || every('iframe,frame,object,embed').length > 0;
    // Time on a screen: those who look at it by a timer need some.
    const stay = async () => {
        await frame();
        if (want.listens) await pause(Math.min(60, left() / 40));
        await arrived();
        listen();
    };
    // Back to where the picture begins. Scripts that react to scrolling often ignore what comes within 50 ms of the last
    // change, and look by timers of up to 100 ms: they see the end of the page, and then its beginning.
    const back = async go => {
        if (reacts) await pause(60);
        go();
        await frame();
        if (want.listens) await pause(150);
    };
    // From one end of something to the other, fast enough for `want.ms`.
    const through = async (top, bottom, go, height) => {
        const began = performance.now();
        const first = left();
        let steps = 0;
        for (let at = top; ; steps++) {
            go(at);
            await stay();
            if (at >= bottom() || left() <= 0) break;
            const each = (performance.now() - began) / (steps + 1);
            const affordable = Math.max(1, left() * 0.8 / Math.max(each, 1));
            at = Math.min(bottom(), at + Math.max(height * 0.8, (bottom() - at) / affordable));
        }
        if (want.listens) await pause(Math.min(150, first / 10));
    };

    if (want.fullPage) {
        for (const lazy of every('img[loading=lazy], iframe[loading=lazy]')) lazy.loading = 'eager';
        const inner = shell();
        const box = inner || document.scrollingElement || document.documentElement;
        const height = inner ? inner.clientHeight : innerHeight;
        const end = () => Math.min(box.scrollHeight, want.maxHeight) - height;
        if (reacts && end() > 0) {
            const go = top => (inner || window).scrollTo({ top, behavior: 'instant' });
            watch();
            await through(Math.min(end(), height * 0.8), end, go, height);
            changes.disconnect();
            await back(() => (inner || window).scrollTo({ top: 0, left: 0, behavior: 'instant' }));
        }
        return {};
    }
    const element = target();
    if (element) {
        // What comes in may move it.
        for (let tries = 0; tries < 4 && bring(element); tries++) await stay();
        const box = onScreen(element);
        if (reacts && box.height > innerHeight) {
            const [top, x] = [scrollY, scrollX];
            const end = () => top + onScreen(element).height - innerHeight;
            await through(top, end, top => scrollTo({ top, left: x, behavior: 'instant' }), innerHeight);
            await back(() => scrollTo({ top, left: x, behavior: 'instant' }));
        }
        return {};
    }
    if (want.clip) {
        const { x, y, width, height } = want.clip;
        if (holds(screen(), { x: x - scrollX, y: y - scrollY, width, height })) return {};
        const middle = (from, length, all) => length > all ? from : from - (all - length) / 2;
        const left = middle(x, width, innerWidth);
        const top = middle(y, height, innerHeight);
        scrollTo({ top, left, behavior: 'instant' });
        await stay();
        if (height > innerHeight) {
            await through(top, () => Math.min(y + height - innerHeight, range().bottom), top => scrollTo({ top, left, behavior: 'instant' }), innerHeight);
            await back(() => scrollTo({ top, left, behavior: 'instant' }));
        }
    }
    return {};
}
