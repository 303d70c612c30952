// Ways from a page to our listeners on this machine; the listeners tell whether any of them arrived. Waits until
// each is known to have failed, at most three seconds.
const PORT = 0;
const settled = (target, ...events) => new Promise((done) => events.forEach((event) => target.addEventListener(event, done)));
const element = (kind, set) => {
  const made = Object.assign(document.createElement(kind), set);
  const ended = settled(made, "load", "error");
  document.body.append(made);
  return ended;
};
const hosts = [
  "127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0.0.0.0", "127.0.0.2",
  "[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "tintype.localhost",
];
const tried = hosts.map((host) => fetch(`http://${host}:${PORT}/fetch`, { mode: "no-cors" }).catch(() => {}));
const base = `//127.0.0.1:${PORT}`;
tried.push(
  element("img", { src: `http:${base}/img` }),
  element("script", { src: `http:${base}/script` }),
  element("link", { rel: "stylesheet", href: `http:${base}/style` }),
  element("iframe", { src: `http:${base}/frame` }),
  element("object", { data: `http:${base}/object` }),
  settled(new WebSocket(`ws:${base}/socket`), "error", "open"),
  settled(new EventSource(`http:${base}/events`), "error", "open"),
);
navigator.sendBeacon(`http:${base}/beacon`, "x");
const peer = new RTCPeerConnection({ iceServers: [{ urls: [`stun:127.0.0.1:${PORT}`] }] });
peer.createDataChannel("x");
tried.push(peer.createOffer().then((offer) => peer.setLocalDescription(offer)));
await Promise.race([Promise.allSettled(tried), new Promise((done) => setTimeout(done, 3000))]);
throw new Error(JSON.stringify({ roads: tried.length + 1 }));
