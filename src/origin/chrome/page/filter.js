// Filters on one document. Runs in the world of the engine, before anything of the document ('begin', 'document') and
// again while the page is captured ('look', 'apply'). The state lasts as long as the document. See frames.rs, filter.rs.
want => {
    // Bounds of what a page can make us keep.
    const MAX_NAMES = 20000;
    const MAX_NAME = 128;
    const MAX_ROOTS = 500;
    const MAX_CHILDREN = 50;
    const MAX_FORCED = 500;
    // Milliseconds between two searches for a consent box on a page that is locked.
    const SEARCH_STEP = 200;

    const state = globalThis.filterState || (globalThis.filterState = {
        // By category, the sheet of the rules for every document and what it is made of.
        generic: undefined,
        // All sheets, what they hide, and the documents and shadow trees that have them.
        sheets: [],
        hidden: new Set(),
        roots: new Set(),
        // Whether the rules for the URL of this document are there.
        known: false,
        // Selectors of consent boxes; whether one was found; the rules that let a locked page go.
        consent: [],
        asked: false,
        searched: -Infinity,
        released: new Set(),
        releaseSheet: undefined,
        hostSheet: undefined,
        removals: [],
        // Class names and ids that were told, and those to be told next.
        names: new Set(),
        classLists: new Set(),
        classes: [],
        ids: [],
        observer: undefined,
        observed: new Set(),
        watched: new Set(),
        scheduled: false,
    });

    // In a layer, since its important rules win over those of the page, whatever their specificity. A bad selector
    // spoils its own rule only.
    const layer = rules => `@layer tintype{\n${rules.join('\n')}\n}`;
    const hiding = selectors => selectors.map(selector => selector + '{display:none !important}');
    const adopt = root => {
        const missing = state.sheets.filter(sheet => !root.adoptedStyleSheets.includes(sheet));
        if (missing.length) root.adoptedStyleSheets = [...root.adoptedStyleSheets, ...missing];
    };
    // Pages replace the list as a whole at times.
    const adoptAll = () => {
        for (const root of state.roots) {
            try { adopt(root); } catch { /* moved to another document */ }
        }
    };
    const addSheet = rules => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(layer(rules));
        state.sheets.push(sheet);
        state.roots.add(document);
        return sheet;
    };

    // What locks a page while it asks for consent: how to let go of it.
    const findLocks = () => {
        const locks = [];
        for (const element of [document.documentElement, document.body]) {
            if (!element) continue;
            const style = getComputedStyle(element);
            const force = (property, value) => locks.push(() => {
                state.released.add(`${element.localName}{${property}:${value} !important}`);
                // An important style of the element itself wins over every sheet.
                if (element.style.getPropertyPriority(property)) element.style.setProperty(property, value, 'important');
            });
            if (/hidden|clip/.test(style.overflowY)) force('overflow', 'visible');
            if (style.position === 'fixed') force('position', 'static');
            if (style.filter.includes('blur')) force('filter', 'none');
            // A shade that is no element: all of the viewport, above the page.
            for (const pseudo of ['::before', '::after']) {
                const shade = getComputedStyle(element, pseudo);
                if (shade.content === 'none' || shade.position !== 'fixed' || !(Number(shade.zIndex) > 0)) continue;
                if (parseFloat(shade.width) >= innerWidth && parseFloat(shade.height) >= innerHeight) {
                    locks.push(() => state.released.add(`${element.localName}${pseudo}{display:none !important}`));
                }
            }
        }
        // The page behind the box, blurred. A blurred picture in the background is out of the flow.
        for (const child of Array.from(document.body ? document.body.children : []).slice(0, MAX_CHILDREN)) {
            const { filter, position } = getComputedStyle(child);
            if (filter.includes('blur') && (position === 'static' || position === 'relative')) {
                locks.push(() => child.style.setProperty('filter', 'none', 'important'));
            }
        }
        return locks;
    };
    const isThere = selector => {
        for (const root of state.roots) {
            try {
                if (root.querySelector(selector)) return true;
            } catch {
                return false;
            }
        }
        return false;
    };
    // Lets go of a page that a hidden consent box has locked. A page without such a box stays as it is.
    const release = thorough => {
        if (!state.consent.length || !document.documentElement) return;
        const locks = findLocks();
        if (!locks.length) return;
        if (!state.asked) {
            const now = performance.now();
            if (!thorough && now - state.searched < SEARCH_STEP) return;
            state.searched = now;
            state.asked = state.consent.some(isThere);
            if (!state.asked) return;
        }
        for (const letGo of locks) letGo();
        state.releaseSheet ||= addSheet([]);
        state.releaseSheet.replaceSync(layer(Array.from(state.released)));
        adopt(document);
    };
    // Two kinds of important styles win over every sheet of the document: that of the element itself, and that of `:host` in
    // its shadow tree.
    const force = () => {
        const found = [];
        for (const root of state.roots) {
            if (root.host) found.push(root.host);
            for (const element of root.querySelectorAll('[style*="important"]')) {
                if (element.style && element.style.getPropertyPriority('display')) found.push(element);
            }
        }
        const shown = found.slice(0, MAX_FORCED).filter(element => getComputedStyle(element).display !== 'none');
        if (!shown.length || !state.hidden.size) return;
        // A bad selector in `:is` spoils itself only.
        const anyHidden = `:is(${Array.from(state.hidden).join(',')})`;
        for (const element of shown) {
            try {
                if (!element.matches(anyHidden)) continue;
                element.style.setProperty('display', 'none', 'important');
                const root = element.shadowRoot;
                if (!root) continue;
                if (!state.hostSheet) {
                    state.hostSheet = new CSSStyleSheet();
                    state.hostSheet.replaceSync(layer(hiding([':host'])));
                }
                if (!root.adoptedStyleSheets.includes(state.hostSheet)) {
                    root.adoptedStyleSheets = [...root.adoptedStyleSheets, state.hostSheet];
                }
            } catch { /* moved to another document */ }
        }
    };
    const remove = () => {
        for (const { selector, attribute, name } of state.removals) {
            let found = [];
            try { found = document.querySelectorAll(selector); } catch { /* not one of CSS */ }
            for (const element of found) {
                if (attribute) element.removeAttribute(attribute);
                else if (name) element.classList.remove(name);
                else element.remove();
            }
        }
    };
    // A box, and what locks the page for it, may come at any time: seen to before the frame that would show it.
    const watch = () => {
        for (const node of [document, document.documentElement, document.body]) {
            if (!node || state.watched.has(node)) continue;
            state.watched.add(node);
            const observer = new MutationObserver(() => {
                watch();
                if (state.scheduled) return;
                state.scheduled = true;
                requestAnimationFrame(() => {
                    state.scheduled = false;
                    adoptAll();
                    remove();
                    release(false);
                });
            });
            observer.observe(node, { childList: true, attributes: node !== document });
        }
    };

    // Names that are told once each.
    const note = (names, kind, name) => {
        if (name.length > MAX_NAME || state.names.size >= MAX_NAMES || state.names.has(kind + name)) return;
        state.names.add(kind + name);
        names.push(name);
    };
    const noteElement = element => {
        const list = element.getAttribute('class');
        const id = element.getAttribute('id');
        // Most elements share their classes with others.
        if (list && !state.classLists.has(list)) {
            if (list.length <= MAX_NAME && state.classLists.size < MAX_NAMES) state.classLists.add(list);
            for (const name of element.classList) note(state.classes, '.', name);
        }
        if (id) note(state.ids, '#', id);
    };
    const noteRecords = records => {
        for (const { type, target, addedNodes } of records) {
            if (type === 'attributes') noteElement(target);
            for (const node of addedNodes) {
                if (node.nodeType !== Node.ELEMENT_NODE) continue;
                noteElement(node);
                for (const element of node.querySelectorAll('[class],[id]')) noteElement(element);
            }
        }
    };
    // The document and its open shadow trees; their elements are noted where names are wanted for the first time.
    const findRoots = withNames => {
        const found = [document];
        for (let at = 0; at < found.length; at++) {
            const root = found[at];
            const isNew = withNames && !state.observed.has(root);
            const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
            while (walker.nextNode()) {
                const element = walker.currentNode;
                if (isNew) noteElement(element);
                if (found.length < MAX_ROOTS && element.shadowRoot) found.push(element.shadowRoot);
            }
            state.roots.add(root);
            if (!isNew) continue;
            state.observed.add(root);
            state.observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'id'] });
        }
    };

    const keep = part => {
        for (const selector of part.hide) state.hidden.add(selector);
        state.consent.push(...part.consent);
        state.removals.push(...part.remove);
    };
    // The rules for every document, before anything of it is there.
    const begin = parts => {
        if (state.generic) return;
        state.generic = {};
        for (const part of parts) {
            keep(part);
            state.generic[part.category] = { ...part, sheet: addSheet([...hiding(part.hide), ...part.style]) };
        }
        adopt(document);
        watch();
    };
    const apply = parts => {
        for (const { category, except, withoutGeneric } of parts) {
            const generic = state.generic && state.generic[category];
            if (!generic || !except.length && !withoutGeneric) continue;
            const dropped = new Set(withoutGeneric ? generic.hide : except);
            const counts = selector => !dropped.has(selector);
            const style = withoutGeneric ? [] : generic.style;
            for (const selector of dropped) state.hidden.delete(selector);
            generic.sheet.replaceSync(layer([...hiding(generic.hide.filter(counts)), ...style]));
            state.consent = state.consent.filter(counts);
        }
        const fresh = parts.flatMap(part => part.hide).filter(selector => !state.hidden.has(selector));
        parts.forEach(keep);
        const rules = [...hiding(fresh), ...parts.flatMap(part => part.style)];
        if (rules.length) addSheet(rules);
        adoptAll();
    };
    const settle = () => {
        remove();
        force();
        release(true);
    };

    switch (want.step) {
        case 'begin':
            begin(want.parts);
            return undefined;
        // The rules for the URL of the document, before anything of it is there.
        case 'document':
            if (state.known) return undefined;
            state.known = true;
            apply(want.parts);
            return undefined;
        // Sees to shadow trees and locks, and tells the names that were not told yet, if rules are about names.
        case 'look': {
            state.observer ||= new MutationObserver(noteRecords);
            noteRecords(state.observer.takeRecords());
            findRoots(want.names);
            adoptAll();
            settle();
            const { classes, ids } = state;
            [state.classes, state.ids] = [[], []];
            return { classes, ids, begun: Boolean(state.generic), known: state.known };
        }
        case 'apply':
            if (want.begin) begin(want.begin);
            state.known = true;
            apply(want.parts);
            settle();
            return undefined;
    }
}
