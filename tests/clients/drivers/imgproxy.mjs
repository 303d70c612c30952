// Builders of imgproxy URLs from npm: `builder` says which. `calls` are its methods with their
// arguments, `options` its object.

import { createHmac } from "node:crypto";
import { get, require, serve } from "./lines.mjs";

function sign(path, [key, salt], size = 32) {
  const mac = createHmac("sha256", Buffer.from(key, "hex")).update(Buffer.from(salt, "hex")).update(path).digest();
  return `/${mac.subarray(0, size).toString("base64url")}${path}`;
}

const chain = (builder, calls) =>
  (calls ?? []).reduce((now, [name, ...values]) => now[name](...values), builder);

// As imgproxy has it: what is plain is percent-encoded where it has a query. Three builders leave
// that to their callers.
const given = (page, as) => (as === "plain" ? encodeURIComponent(page) : as === "base64" ? Buffer.from(page).toString("base64url") : page);

const builders = {
  imgproxy(item, { page, base, keys }) {
    const { default: Imgproxy } = require("imgproxy");
    const [key, salt] = keys.imgproxy;
    const settings = item.unsigned ? { insecure: true } : { key, salt, insecure: false };
    const imgproxy = new Imgproxy({ baseUrl: base, encode: item.encode ?? true, ...settings, ...item.settings });
    return chain(imgproxy.builder(), item.calls).generateUrl(item.encode === false ? given(page, "plain") : page, item.extension);
  },
  async node(item, { page, base, keys }) {
    const { generateImageUrl, generateImageInfoUrl } = require("@imgproxy/imgproxy-node");
    const [key, salt] = keys.imgproxy;
    const url = { value: item.as === "plain" ? given(page, "plain") : page, displayAs: item.as ?? "base64" };
    const make = item.info ? generateImageInfoUrl : generateImageUrl;
    return make({ endpoint: `${base}/`, url, options: item.options, key, salt });
  },
  // This one only makes the path; its users sign it.
  core(item, { page, base, keys }) {
    const { generateUrl, generateImageInfoUrl } = require("@imgproxy/imgproxy-js-core");
    const source = { value: given(page, item.as ?? "plain"), type: item.as ?? "plain" };
    const path = (item.info ? generateImageInfoUrl : generateUrl)(source, item.options);
    return base + (item.info ? "/info" : "") + sign(path.startsWith("/") ? path : `/${path}`, keys.imgproxy);
  },
  bitpatty(item, { page, base, keys }) {
    const module = require("@bitpatty/imgproxy-url-builder");
    const [key, salt] = keys.imgproxy;
    const build = { path: page, plain: item.plain ?? false, baseUrl: base };
    if (!item.unsigned) build.signature = { key, salt, ...(item.size_of_signature ? { size: item.size_of_signature } : {}) };
    return chain(module.default(), item.calls).build(build);
  },
  // A path that no builder makes, signed here.
  path(item, { page, base, keys }) {
    const source = item.plain ? `plain/${encodeURIComponent(page)}` : Buffer.from(page).toString("base64url");
    const path = item.path.replace("$SOURCE", source);
    return base + sign(path, keys.imgproxy, item.size_of_signature);
  },
};

serve(async (item, work) => get(await builders[item.builder](item, work)));
