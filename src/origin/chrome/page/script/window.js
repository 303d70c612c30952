// Scrolls to a place. What is fixed to the screen is seen on the first one only.
async ({ want }) => {
    scrollTo({ left: want.x, top: want.y, behavior: 'instant' });
    const isFirst = Math.abs(scrollX) < 1 && Math.abs(scrollY) < 1;
    const unseen = globalThis.unseen ||= new Map();
    for (const bar of globalThis.bars || []) {
        if (isFirst) {
            for (const [name, [value, priority]] of Object.entries(unseen.get(bar) || {})) bar.style.setProperty(name, value, priority);
            unseen.delete(bar);
        } else if (!unseen.has(bar)) {
            const own = name => [bar.style.getPropertyValue(name), bar.style.getPropertyPriority(name)];
            unseen.set(bar, { opacity: own('opacity'), visibility: own('visibility') });
            bar.style.setProperty('opacity', '0', 'important');
            bar.style.setProperty('visibility', 'hidden', 'important');
        }
    }
    return { x: scrollX, y: scrollY };
}
