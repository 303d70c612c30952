// Hides the elements that filter lists match, and releases the scroll lock of a consent box.
async ({ want, roots, bad, find, sheet }) => {
    // What locks the page while it asks for consent lets go of it.
    const asks = want.consent.length ? `:is(${want.consent.join(',')})` : '';
    let css = want.hide.map(selector => selector + '{display:none !important}').join('\n');
    if (asks && !bad(asks) && find(asks)) {
        for (const element of [document.documentElement, document.body]) {
            if (!element) continue;
            const { overflowY, position } = getComputedStyle(element);
            const name = element.localName;
            if (overflowY === 'hidden' || overflowY === 'clip') css += `\n${name}{overflow:visible !important}`;
            if (position === 'fixed') css += `\n${name}{position:static !important}`;
        }
    }
    if (globalThis.filtered !== css) for (const root of roots()) sheet(root, css);
    globalThis.filtered = css;
    return {};
}
