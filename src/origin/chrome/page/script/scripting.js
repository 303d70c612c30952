// Keeps the style that a page has while scripts run: without them Chrome shows `<noscript>` and
// answers the media feature `scripting` otherwise.
async ({ roots, sheet }) => {
    const always = text => text.replace(/\(\s*scripting\s*(?::\s*([-a-z]+)\s*)?\)/gi, (_, value) =>
        !value || value.toLowerCase() === 'enabled' ? '(width >= 0px)' : '(width < 0px)');
    const keep = media => {
        if (media && /scripting/i.test(media.mediaText)) media.mediaText = always(media.mediaText);
    };
    const look = rules => {
        for (const rule of rules) {
            keep(rule.media);
            if (rule.styleSheet) read(rule.styleSheet);
            else if (rule.cssRules) look(rule.cssRules);
        }
    };
    const read = sheet => {
        // Those of other origins cannot be read.
        try { keep(sheet.media); look(sheet.cssRules); } catch { }
    };
    for (const root of roots()) {
        for (const own of [...root.styleSheets, ...root.adoptedStyleSheets]) read(own);
        if (root.querySelector('noscript')) sheet(root, 'noscript{display:none !important}');
    }
    return {};
}
