// urlbox of npm, which makes links, and the REST interface that its documentation gives beside
// them.

import { createHmac } from "node:crypto";
import { get, require, serve } from "./lines.mjs";

const Urlbox = require("urlbox").default;

serve(async (item, { page, base, keys }) => {
  const [key, secret] = keys.urlbox;
  const prefix = base + (item.prefix ?? "/v1/");
  const urlbox = Urlbox(item.key ?? key, item.secret ?? secret, prefix);
  const options = { ...(item.html ? { html: item.html } : { url: page }), ...item.options };
  const how = item.how ?? "link";
  if (how === "link") return get(urlbox.generateRenderLink(options));
  if (how === "insecure") return get(urlbox.generateInsecureRenderLink(options));
  // As the links that are embedded in pages since long ago.
  if (how === "sha1") {
    const query = new URLSearchParams(options).toString();
    const token = createHmac("sha1", secret).update(query).digest("hex");
    return get(`${prefix}${key}/${token}/png?${query}`);
  }
  // render/sync, render/async, render: JSON, with the secret as a bearer token.
  const post = async (path, body) =>
    get(`${prefix}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${item.bearer === "key" ? key : secret}` },
      body: JSON.stringify(body),
    });
  if (how === "status") {
    const begun = JSON.parse(Buffer.from((await post("render/async", options)).body, "base64").toString());
    if (!begun.statusUrl) throw new Error(`no statusUrl: ${JSON.stringify(begun)}`);
    for (let n = 0; n < 100; n++) {
      const answer = await get(begun.statusUrl, { headers: { authorization: `Bearer ${secret}` } });
      const now = JSON.parse(Buffer.from(answer.body, "base64").toString());
      if (now.status === "succeeded" || now.status === "failed") return answer;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("the render never ended");
  }
  return post(how, options);
});
