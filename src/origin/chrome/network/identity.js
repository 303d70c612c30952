// Runs first in pages and workers whose visitor is another browser than the one that shows them. See identity.rs.
visitor => {
    const proto = Object.getPrototypeOf(navigator);
    if (!visitor.hints) delete proto.userAgentData;
    // Pages have it already.
    if (visitor.platform && self.WorkerNavigator) {
        Object.defineProperty(proto, 'platform', { get: () => visitor.platform, configurable: true, enumerable: true });
    }
}
