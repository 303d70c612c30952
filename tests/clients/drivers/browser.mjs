// What runs in a real browser, on a page of another origin than tintype: fetch, <img crossorigin>,
// canvas, mql in a bundle, and microlink's React card.

import { require, serve } from "./lines.mjs";

const puppeteer = require("puppeteer-core");
const { buildSync } = require("esbuild");

const SOURCE = `
  import mql from "@microlink/mql";
  import Microlink from "@microlink/react";
  import React from "react";
  import { createRoot } from "react-dom/client";

  const hex = (context, x, y) =>
    "#" + [...context.getImageData(x, y, 1, 1).data.slice(0, 3)].map((n) => n.toString(16).padStart(2, "0")).join("");
  const image = (url, crossOrigin) => new Promise((done, failed) => {
    const img = new Image();
    if (crossOrigin !== undefined) img.crossOrigin = crossOrigin;
    img.onload = () => done(img);
    img.onerror = () => failed(new Error("the image did not load"));
    img.src = url;
  });

  window.run = {
    async mql(page, endpoint, { options, apiKey }) {
      const { response, ...payload } = await mql(page, { endpoint, screenshot: true, ...options, ...(apiKey ? { apiKey } : {}) });
      return { json: payload, status: response.statusCode };
    },
    async fetch(page, base, { url, init, fields }) {
      const answer = await fetch(url, init);
      const body = new Uint8Array(await answer.arrayBuffer());
      const seen = Object.fromEntries((fields ?? []).map((name) => [name, answer.headers.get(name)]));
      return { status: answer.status, json: { type: answer.type, fields: seen, bytes: body.length } };
    },
    async image(page, base, { url, crossOrigin }) {
      const img = await image(url, crossOrigin);
      return { status: 200, json: { width: img.naturalWidth, height: img.naturalHeight } };
    },
    async canvas(page, base, { url }) {
      const img = await image(url, "anonymous");
      const canvas = document.createElement("canvas");
      canvas.width = img.naturalWidth;
      canvas.height = img.naturalHeight;
      const context = canvas.getContext("2d");
      context.drawImage(img, 0, 0);
      return { status: 200, json: { centre: hex(context, canvas.width / 2, canvas.height / 2) } };
    },
    // The card asks api.microlink.io by mql, and shows the title and a picture of what came.
    async card(page, base, { props, apiKey }) {
      const root = document.createElement("div");
      document.body.append(root);
      createRoot(root).render(React.createElement(Microlink, { url: page, media: "screenshot", lazy: false, apiKey, ...props }));
      const pictures = () =>
        [...root.querySelectorAll("*")].flatMap((node) => [node.currentSrc, getComputedStyle(node).backgroundImage]).filter((url) => url?.includes("http"));
      for (let n = 0; n < 100 && !pictures().length; n++) await new Promise((done) => setTimeout(done, 100));
      const links = [...root.querySelectorAll("a")].map((a) => a.href);
      return { status: 200, json: { text: root.innerText, pictures: pictures(), links } };
    },
  };
`;

let browser, bundle;

async function start() {
  bundle = buildSync({
    stdin: { contents: SOURCE, resolveDir: process.env.TINTYPE_CLIENTS_NPM, loader: "js" },
    nodePaths: [`${process.env.TINTYPE_CLIENTS_NPM}/node_modules`],
    bundle: true, write: false, format: "iife", platform: "browser", minify: true, logLevel: "silent",
    define: { "process.env.NODE_ENV": '"production"', global: "window" },
  }).outputFiles[0].text;
  browser = await puppeteer.launch({
    executablePath: process.env.TINTYPE_CLIENTS_BROWSER,
    args: ["--no-sandbox", "--disable-gpu"],
  });
}

serve(async (item, { page, base, keys, site }) => {
  if (!browser) await start();
  const tab = await browser.newPage();
  try {
    // The card has the service's address within it: its requests go to tintype, by whose fields the
    // browser judges them.
    if (item.how === "card") {
      await tab.setRequestInterception(true);
      const service = /^https:\/\/(api|pro)\.microlink\.io\//;
      tab.on("request", (request) => request.continue(service.test(request.url()) ? { url: request.url().replace(service, base) } : {}));
    }
    await tab.goto(`${site}/page`);
    await tab.addScriptTag({ content: bundle });
    const url = item.path && base + item.path.replaceAll("$PAGE", encodeURIComponent(page)).replaceAll("$SITE", encodeURIComponent(site));
    const input = { ...item, url, apiKey: item.api_key ? keys.microlink : undefined };
    const result = await tab.evaluate(async (how, page, base, input) => {
      try {
        return await window.run[how](page, base, input);
      } catch (error) {
        const { name, message, code, status, statusCode, data } = error;
        return { error: { class: name, message, code, status, statusCode, data } };
      }
    }, item.how, page, base, input);
    return result;
  } finally {
    await tab.close();
  }
});
