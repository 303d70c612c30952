// The classes and ids that the document and its shadow trees use.
async ({ all }) => {
    const [classes, ids] = [new Set(), new Set()];
    const take = (names, name) => { if (names.size < 20000 && name.length <= 128) names.add(name); };
    for (const element of all('[class],[id]')) {
        for (const name of element.classList) take(classes, name);
        if (element.id) take(ids, element.id);
    }
    return { classes: Array.from(classes), ids: Array.from(ids) };
}
