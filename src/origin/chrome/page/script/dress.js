// Adds the style sheets of the request and hides its selectors; answers with the first selector that cannot be read.
async ({ want, bad, roots, sheet }) => {
    for (const { parameter, selector } of want.selectors) {
        if (bad(selector)) return { bad: { parameter, selector } };
    }
    for (const css of want.css) sheet(document, css);
    if (want.hide.length) {
        const css = want.hide.map(selector => selector + '{display:none !important}').join('\n');
        for (const root of roots()) sheet(root, css);
    }
    return {};
}
