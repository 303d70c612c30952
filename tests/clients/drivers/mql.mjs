// @microlink/mql in Node. `options` are those of mql(url, options).

import { get, require, serve } from "./lines.mjs";

const mql = require("@microlink/mql");

const plain = ({ response, ...payload }) => ({
  json: payload,
  status: response.statusCode,
  headers: Object.fromEntries(response.headers),
});

serve(async (item, { page, base, keys }) => {
  const options = { endpoint: base, screenshot: true, ...item.options };
  if (item.api_key) options.apiKey = keys.microlink;
  const how = item.how ?? "mql";
  if (how === "buffer" || how === "arrayBuffer") {
    const answer = await mql[how](page, options);
    return { status: answer.statusCode, headers: Object.fromEntries(answer.headers), body: Buffer.from(answer.body).toString("base64") };
  }
  if (how === "stream") {
    const [url] = mql.getApiUrl(page, options);
    const pieces = [];
    for await (const piece of await mql.stream(url)) pieces.push(piece);
    return { status: 200, headers: {}, body: Buffer.concat(pieces).toString("base64") };
  }
  if (how === "url") return get(mql.getApiUrl(page, options)[0]);
  return plain(await mql(page, options));
});
