"""Consent libraries of the npm registry, each with the smallest page that its README describes.

A library is a dict:
  name      directory and row of the table
  packages  npm packages with versions; the first one is the library itself
  alias     names of modules that esbuild takes for others
  head      markup for <head>; {m} stands for the URL of node_modules
  body      markup after the content of the page
  entry     an ES module that esbuild bundles for the page, where the library is for a bundler
  prepare   a CommonJS script that Node.js runs in the directory before, for libraries with a build step
  files     further files of the page, by name
"""

REACT18 = ["react@18.3.1", "react-dom@18.3.1"]
REACT17 = ["react@17.0.2", "react-dom@17.0.2"]
REACT16 = ["react@16.14.0", "react-dom@16.14.0"]

# Mounts a component beside the content of the page, by the means of each version of React.
MOUNT18 = """
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
const mount = element => createRoot(document.body.appendChild(document.createElement('div'))).render(element);
"""
MOUNT16 = """
import { createElement as h } from 'react';
import { render } from 'react-dom';
const mount = element => render(element, document.body.appendChild(document.createElement('div')));
"""


def orejime3(name, theme, script="", options=""):
    return {
        "name": name,
        "packages": ["orejime@3.2.1"],
        "head": f"<link rel=stylesheet href='{{m}}/orejime/dist/orejime-{theme}.css'>",
        "body": "<script>window.orejimeConfig = { privacyPolicyUrl: '/privacy', purposes: [{ id: 'a', title: 'Analytics', "
        f"cookies: ['_ga'] }}], {options} }}</script><script src='{{m}}/orejime/dist/orejime-{theme}-en.js'></script>{script}",
    }


def orejime2(name, options):
    return {
        "name": name,
        "packages": ["orejime@2.3.3"],
        "head": "<link rel=stylesheet href='{m}/orejime/dist/orejime.css'>",
        "body": "<script>window.orejimeConfig = { privacyPolicy: '/privacy', appElement: 'main', apps: [{ name: 'ga', "
        f"title: 'Analytics', cookies: ['_ga'] }}], {options} }}</script><script src='{{m}}/orejime/dist/orejime.js'></script>",
    }


def klaro(name, options):
    return {
        "name": name,
        "packages": ["klaro@0.7.22"],
        "body": "<script>window.klaroConfig = { privacyPolicy: '/privacy', lang: 'en', translations: {}, services: [{ name: "
        f"'ga', title: 'Analytics', purposes: ['statistics'], cookies: ['_ga'] }}], {options} }}</script>"
        "<script defer src='{m}/klaro/dist/klaro.js'></script>",
    }


def tarteaucitron(name, orientation):
    return {
        "name": name,
        "packages": ["tarteaucitronjs@1.34.0"],
        "head": "<script src='{m}/tarteaucitronjs/tarteaucitron.js'></script><script>tarteaucitron.init({ privacyUrl: "
        f"'', orientation: '{orientation}', groupServices: false, showAlertSmall: false, cookieslist: false, "
        "showIcon: true, iconPosition: 'BottomRight', adblocker: false, DenyAllCta: true, AcceptAllCta: true, "
        "highPrivacy: true, handleBrowserDNTRequest: false, removeCredit: false, moreInfoLink: true, mandatory: true })"
        "</script>",
        "body": "<script>tarteaucitron.user.gtagUa = 'G-1'; (tarteaucitron.job = tarteaucitron.job || []).push('gtag')"
        "</script>",
    }


def vanilla3(name, options):
    return {
        "name": name,
        "packages": ["vanilla-cookieconsent@3.1.0"],
        "head": "<link rel=stylesheet href='{m}/vanilla-cookieconsent/dist/cookieconsent.css'>",
        # It hides from bots, which it knows by their agent and by navigator.webdriver.
        "body": "<script src='{m}/vanilla-cookieconsent/dist/cookieconsent.umd.js'></script><script>CookieConsent.run({"
        "hideFromBots: false, categories: { necessary: { enabled: true, readOnly: true }, analytics: {} }, language: { "
        "default: 'en', translations: { en: { consentModal: { title: 'We use cookies', description: 'Modal description', "
        "acceptAllBtn: 'Accept all', acceptNecessaryBtn: 'Reject all', showPreferencesBtn: 'Manage' }, preferencesModal: "
        f"{{ title: 'Preferences', acceptAllBtn: 'Accept all', sections: [] }} }} }} }}, {options} }})</script>",
    }


def cookieconsent3(name, options):
    return {
        "name": name,
        "packages": ["cookieconsent@3.1.1"],
        "head": "<link rel=stylesheet href='{m}/cookieconsent/build/cookieconsent.min.css'>",
        "body": "<script src='{m}/cookieconsent/build/cookieconsent.min.js'></script><script>cookieconsent.initialise({ "
        f"palette: {{ popup: {{ background: '#000' }}, button: {{ background: '#f1d600' }} }}, {options} }})</script>",
    }


LIBRARIES = [
    orejime3("orejime", "standard"),
    orejime3("orejime-modal", "standard", options="forceModal: true"),
    orejime3("orejime-banner-forced", "standard", options="forceBanner: true"),
    orejime2("orejime-2", ""),
    orejime2("orejime-2-must-consent", "mustConsent: true"),
    klaro("klaro", ""),
    klaro("klaro-must-consent", "mustConsent: true"),
    klaro("klaro-notice-as-modal", "noticeAsModal: true"),
    tarteaucitron("tarteaucitron-middle", "middle"),
    tarteaucitron("tarteaucitron-top", "top"),
    tarteaucitron("tarteaucitron-bottom", "bottom"),
    tarteaucitron("tarteaucitron-popup", "popup"),
    vanilla3("vanilla-cookieconsent", ""),
    vanilla3("vanilla-cookieconsent-blocking", "disablePageInteraction: true"),
    {
        "name": "vanilla-cookieconsent-2",
        "packages": ["vanilla-cookieconsent@2.9.2"],
        "head": "<link rel=stylesheet href='{m}/vanilla-cookieconsent/dist/cookieconsent.css'>",
        "body": "<script src='{m}/vanilla-cookieconsent/dist/cookieconsent.js'></script><script>initCookieConsent().run({ "
        "current_lang: 'en', force_consent: true, hide_from_bots: false, autorun: true, "
        "languages: { en: { "
        "consent_modal: { title: 'We use cookies', description: 'About them', primary_btn: { text: 'Accept all', role: "
        "'accept_all' }, secondary_btn: { text: 'Reject', role: 'accept_necessary' } }, settings_modal: { title: 'Cookies', "
        "save_settings_btn: 'Save', accept_all_btn: 'Accept all', blocks: [] } } } })</script>",
    },
    cookieconsent3("cookieconsent", ""),
    cookieconsent3("cookieconsent-opt-in", "type: 'opt-in', position: 'bottom-left', revokable: true"),
    cookieconsent3("cookieconsent-pushdown", "position: 'top', static: true"),
    {
        "name": "cookie-consent-js",
        "packages": ["cookie-consent-js@2.1.12"],
        "head": "<link rel=stylesheet href='{m}/cookie-consent-js/src/cookie-consent.css'>"
        "<script src='{m}/cookie-consent-js/src/cookie-consent.js'></script>",
        "body": "<script>new CookieConsent({ contentUrl: '{m}/cookie-consent-js/cookie-consent-content', "
        "privacyPolicyUrl: '/privacy' })</script>",
    },
    {
        "name": "cookie-consent-js-blocking",
        "packages": ["cookie-consent-js@2.1.12"],
        "head": "<link rel=stylesheet href='{m}/cookie-consent-js/src/cookie-consent.css'>"
        "<script src='{m}/cookie-consent-js/src/cookie-consent.js'></script>",
        "body": "<script>new CookieConsent({ contentUrl: '{m}/cookie-consent-js/cookie-consent-content', "
        "privacyPolicyUrl: '/privacy', blockAccess: true })</script>",
    },
    {
        "name": "cookie-notice",
        "packages": ["cookie-notice@1.3.9"],
        "body": "<script src='{m}/cookie-notice/dist/cookie.notice.js'></script><script>new cookieNoticeJS()</script>",
    },
    {
        "name": "jquery.cookiebar",
        "packages": ["jquery.cookiebar@0.1.0", "jquery@3.7.1"],
        "head": "<link rel=stylesheet href='{m}/jquery.cookiebar/cookieBar.css'>",
        "body": "<script src='{m}/jquery/dist/jquery.js'></script><script src='{m}/jquery.cookiebar/jquery.cookieBar.js'>"
        "</script><script>$(document).ready(() => $.cookieBar())</script>",
    },
    {
        "name": "jquery-cookiebar",
        "packages": ["jquery-cookiebar@1.0.5", "jquery@3.7.1"],
        "head": "<link rel=stylesheet href='{m}/jquery-cookiebar/jquery.cookiebar.css'>",
        "body": "<script src='{m}/jquery/dist/jquery.js'></script><script src='{m}/jquery-cookiebar/jquery.cookiebar.js'>"
        "</script><script>$(document).ready(() => $.cookieBar({ fixed: true, bottom: true }))</script>",
    },
    {
        "name": "cookiecraft",
        "packages": ["cookiecraft@1.0.11"],
        "head": "<link rel=stylesheet href='{m}/cookiecraft/dist/cookiecraft.css'>",
        "body": "<script src='{m}/cookiecraft/dist/cookiecraft.min.js'></script><script>new CookieCraft.CookieConsent({ "
        "categories: { necessary: { enabled: true, readOnly: true, label: 'Essential', description: 'x' }, analytics: { "
        "enabled: true, readOnly: false, label: 'Analytics', description: 'y' } } }).init()</script>",
    },
    {
        "name": "cookiesjsr",
        "packages": ["cookiesjsr@1.0.17"],
        "head": "<link rel=stylesheet href='{m}/cookiesjsr/dist/cookiesjsr.min.css'>",
        "body": "<div id=cookiesjsr></div><script>document.cookiesjsr = { apiUrl: '', configQuery: 'config.json' }; "
        "window.dispatcher = {}</script><script src='{m}/cookiesjsr/dist/cookiesjsr.min.js'></script>",
        "files": {
            "config.json": '{"config":{"cookie":{"name":"cookiesjsr","expires":31536000000},"interface":{'
            '"openSettingsHash":"#editCookieSettings","translationQuery":"node_modules/cookiesjsr/lang/%lang_id/translation.json",'
            '"availableLangs":["en"],"defaultLang":"en"}},"services":{"default":{"id":"default","services":[]},"analytic":{'
            '"id":"analytic","services":[{"key":"gtag","type":"analytic","name":"Google Analytics","uri":"","needConsent":'
            "true}]}}}"
        },
    },
    {
        "name": "porsche-cookie-consent-banner",
        "packages": ["@porscheofficial/cookie-consent-banner@4.1.0"],
        "head": "<script type=module src='{m}/@porscheofficial/cookie-consent-banner/dist/cookie-consent-banner/"
        "cookie-consent-banner.esm.js'></script>",
        "body": "<cookie-consent-banner>We use cookies and similar technologies.</cookie-consent-banner>",
    },
    {
        "name": "pie-cookie-banner",
        # The style sheet of the design system has the sizes and colours that it is drawn with.
        "packages": ["@justeattakeaway/pie-cookie-banner@1.10.19", "@justeattakeaway/pie-css@1.8.1"],
        "head": "<link rel=stylesheet href='{m}/@justeattakeaway/pie-css/dist/index.css'>",
        "entry": "import '@justeattakeaway/pie-cookie-banner';",
        "body": "<pie-cookie-banner></pie-cookie-banner>",
    },
    {
        "name": "vaadin-cookie-consent",
        "packages": ["@vaadin/cookie-consent@24.9.5"],
        "entry": "import '@vaadin/cookie-consent';",
        "body": "<vaadin-cookie-consent></vaadin-cookie-consent>",
    },
    {
        "name": "mozmeao-consent-banner",
        "packages": ["@mozmeao/consent-banner@1.1.1", "@mozmeao/cookie-helper@1.1.0"],
        "head": "<link rel=stylesheet href='{m}/@mozmeao/consent-banner/styles.css'>",
        "entry": """
import banner from '@mozmeao/consent-banner';
import helper from '@mozmeao/cookie-helper';
const open = () => document.getElementById('moz-consent-banner').classList.add('is-visible');
window.addEventListener('mozConsentOpen', open, false);
banner.init({ helper, cookieDomain: location.hostname });
""",
        "body": "<aside class=moz-consent-banner id=moz-consent-banner role=region aria-label='Cookie Banner'><div "
        "class=moz-consent-banner-content><h2 class=moz-consent-banner-heading>Help us improve</h2><button type=button "
        "id=moz-consent-banner-button-accept class=moz-consent-banner-button>Accept</button><button type=button "
        "id=moz-consent-banner-button-reject class=moz-consent-banner-button>Reject</button></div></aside>",
    },
    {
        "name": "stormid-cookie-banner",
        "packages": ["@stormid/cookie-banner@1.0.3"],
        "entry": """
import banner from '@stormid/cookie-banner';
banner({ hideBannerOnFormPage: false, types: { performance: { title: 'P', description: '', labels: { yes: '', no: '' }, fns: [] } },
    bannerTemplate: model => `<section role=dialog aria-live=polite aria-label="Your privacy" class="${model.classNames.banner}"
        style="position:fixed;bottom:0;left:0;right:0;background:#fd0"><div class=privacy-content>Cookies
        <button class="${model.classNames.acceptBtn}">Accept all</button></div></section>`,
    messageTemplate: () => '', formTemplate: model => `<form class="${model.settings.classNames.form}"></form>` });
""",
        "body": "<div class='privacy-banner__form-container'></div>"
        "<div class='privacy-banner__form-announcement' role=alert></div>",
    },
    {
        "name": "htmlbricks-cookie-law-banner",
        "packages": ["@htmlbricks/hb-cookie-law-banner@0.76.5"],
        "body": "<hb-cookie-law-banner></hb-cookie-law-banner>"
        "<script src='{m}/@htmlbricks/hb-cookie-law-banner/main.iife.js'></script>",
    },
    {
        "name": "astro-consent",
        "packages": ["astro-consent@2.1.1"],
        "prepare": """
import('astro-consent').then(({ default: astroConsent }) => {
    const code = [];
    const hook = astroConsent({ siteName: 'Site', cookiePolicyUrl: '/c', privacyPolicyUrl: '/p' }).hooks['astro:config:setup'];
    hook({ injectScript: (stage, text) => code.push(text.replace(/^import .*css.*$/m, '')) });
    require('fs').writeFileSync('injected.js', code.join('\\n'));
});
""",
        "body": "<script type=module src='injected.js'></script>",
    },
    {
        "name": "django-cookie-consent",
        "packages": ["django-cookie-consent@1.0.0"],
        "entry": """
import { showCookieBar } from 'django-cookie-consent';
showCookieBar({ statusUrl: 'status.json', templateSelector: '#cookie-consent__cookie-bar', cookieGroupsSelector:
    '#cookie-consent__cookie-groups' });
""",
        # The template of the Django package.
        "body": "<template id='cookie-consent__cookie-bar'><div class=cookie-bar style='background:#fd0'>This site uses "
        "cookies. <button class=cookie-consent__accept>Accept</button><button class=cookie-consent__decline>Decline</button>"
        "</div></template><script type='application/json' id='cookie-consent__cookie-groups'>"
        '[{"varname":"optional","name":"Optional","description":"","is_required":false,"cookies":[]}]</script>',
        "files": {
            "status.json": '{"csrftoken":"x","acceptUrl":"/a","declineUrl":"/d","acceptedCookieGroups":[],'
            '"declinedCookieGroups":[],"notAcceptedOrDeclinedCookieGroups":["optional"]}'
        },
    },
    {
        "name": "ba-js-cookie-banner",
        "packages": ["ba-js-cookie-banner@3.2.3", "js-cookie@3.0.5"],
        "body": "<div id=cookie-bg-overlay><div id=cookie-container style='position:fixed;bottom:0;background:#fd0'>"
        "Cookies</div></div>",
    },
    {
        "name": "beyonk-gdpr-cookie-consent-banner",
        "packages": ["@beyonk/gdpr-cookie-consent-banner@16.0.2"],
        "head": "<link rel=stylesheet href='{m}/@beyonk/gdpr-cookie-consent-banner/src/lib/banner.css'>"
        "<script type=module src='{m}/@beyonk/gdpr-cookie-consent-banner/dist/index.js'></script>",
        "body": "<cookie-consent-banner cookie-name=foo description=bar></cookie-consent-banner>",
    },
    {
        "name": "dmstr-cookie-consent",
        "packages": ["@dmstr/cookie-consent@0.4.1"],
        "body": "<div class=cookie-consent-popup style='position:fixed;bottom:0;left:0;right:0;background:#fd0'>We are "
        "using cookies <button class=cookie-consent-accept-all>Accept All</button></div>"
        "<script src='{m}/@dmstr/cookie-consent/dist/cookie-consent.js'></script>"
        "<script>new CookieConsent({ name: 'status', path: '/', domain: '', expiryDays: 365 })</script>",
    },
    {
        "name": "demos-dp-consent",
        "packages": ["@demos-europe/dp-consent@1.3.0"],
        "body": "<script src='{m}/@demos-europe/dp-consent/dist/dp-consent.browser.min.js'></script><script>"
        "(DpConsent.dpConsent || DpConsent.default)({ notice: 'We use cookies', optionalCookies: [{ name: 'a', explanation: "
        "'b' }], necessaryCookies: [{ name: 'c', explanation: 'd' }], onGrantConsent() {}, onRevokeConsent() {} })</script>",
    },
    {
        "name": "cookies-eu-banner",
        "packages": ["cookies-eu-banner@3.0.0"],
        "body": "<template id=cookies-eu-banner-template><div id=cookies-eu-banner style='background:#fd0'>By continuing you "
        "accept cookies. <button id=cookies-eu-reject>Reject</button><button id=cookies-eu-accept>Accept</button></div>"
        "</template><script src='{m}/cookies-eu-banner/dist/cookies-eu-banner.global.js'></script>"
        "<script>CookiesEuBanner.createCookiesBanner({ onAccept() {} })</script>",
    },
    {
        "name": "canonical-cookie-policy",
        "packages": ["@canonical/cookie-policy@3.10.0"],
        "head": "<link rel=stylesheet href='{m}/@canonical/cookie-policy/build/css/cookie-policy.css'>",
        "body": "<script src='{m}/@canonical/cookie-policy/build/js/cookie-policy.js'></script><script>cpNs.cookiePolicy()</script>",
    },
    {
        "name": "hmcts-cookie-manager",
        "packages": ["@hmcts/cookie-manager@1.1.0", "govuk-frontend@5.11.0"],
        # The template of its documentation is that of the GOV.UK design system. The library shows it.
        "head": "<link rel=stylesheet href='{m}/govuk-frontend/dist/govuk/govuk-frontend.min.css'>",
        "entry": "import manager from '@hmcts/cookie-manager'; manager.init({ cookieManifest: [{ categoryName: 'analytics', "
        "cookies: ['_ga'] }] });",
        "body": "<div class='cookie-banner govuk-cookie-banner' hidden role=region aria-label='Cookies on this service'><div "
        "class='govuk-cookie-banner__message govuk-width-container'><p class=govuk-body>We use cookies.</p><button type=button "
        "class=cookie-banner-accept-button data-cm-action=accept>Accept</button></div></div>",
    },
    {
        "name": "govuk-frontend",
        "packages": ["govuk-frontend@5.11.0"],
        # A service shows and hides the banner by itself: there is no script in the package.
        "head": "<link rel=stylesheet href='{m}/govuk-frontend/dist/govuk/govuk-frontend.min.css'>",
        "body": "<script>const banner = document.createElement('div'); banner.className = 'govuk-cookie-banner'; "
        "banner.innerHTML = `<div class='govuk-cookie-banner__message govuk-width-container'><h2 class='govuk-heading-m'>Cookies "
        "on this service</h2><p class=govuk-body>We use some essential cookies.</p></div>`; document.body.prepend(banner)</script>",
    },
    {
        "name": "cookie-though",
        "packages": ["cookie-though@1.7.3"],
        "body": "<script src='{m}/cookie-though/dist/lib.js'></script><script>CookieThough.init({ policies: [{ id: 'essential', "
        "label: 'Essential', description: 'x', category: 'essential' }, { id: 'functional', label: 'Functional', description: "
        "'y', category: 'functional' }], permissionLabels: { accept: 'Accept', acceptAll: 'Accept all', decline: 'Decline' }, "
        "header: { title: 'cookie though?', subTitle: 'You choose', description: 'z' }, cookiePolicy: { url: '/c', label: "
        "'Read the policy' }, essentialLabel: 'Always on', customizeLabel: 'Customize' }); CookieThough.show()</script>",
    },
    {
        "name": "cookie-bar",
        "packages": ["cookie-bar@1.10.3"],
        # It shows when the page has a cookie, unless it is called with always=1.
        "body": "<script src='{m}/cookie-bar/cookiebar-latest.min.js?always=1&forceLang=en'></script>",
    },
    {
        "name": "grrr-cookie-consent",
        "packages": ["@grrr/cookie-consent@2.1.2"],
        "entry": """
import CookieConsent from '@grrr/cookie-consent';
customElements.define('cookie-consent', CookieConsent);
""",
        "head": "<style>cookie-consent{position:fixed;bottom:0;left:0;right:0;background:#fd0}</style>",
        "body": "<cookie-consent data-cookies='[{\"id\":\"functional\",\"label\":\"F\",\"description\":\"d\",\"required\":true}]'>"
        "</cookie-consent>",
    },
    {
        "name": "react-cookie-consent",
        "packages": ["react-cookie-consent@10.0.2", *REACT18],
        "entry": MOUNT18 + "import C from 'react-cookie-consent'; mount(h(C.default || C, {}, 'This website uses cookies.'));",
    },
    {
        "name": "react-cookie-consent-overlay",
        "packages": ["react-cookie-consent@10.0.2", *REACT18],
        "entry": MOUNT18
        + "import C from 'react-cookie-consent'; mount(h(C.default || C, { overlay: true }, 'This website uses cookies.'));",
    },
    {
        "name": "react-cookie-banner",
        "packages": ["react-cookie-banner@4.1.0", *REACT16],
        "entry": MOUNT16
        # Above the page, since it goes when the page is scrolled.
        + "import C from 'react-cookie-banner'; mount(h(C, { message: 'We use cookies', cookie: 'user-has-accepted' }));"
        "document.body.prepend(document.body.lastElementChild);",
    },
    {
        "name": "react-cookie-manager",
        "packages": ["react-cookie-manager@5.4.1", *REACT18],
        "entry": MOUNT18 + "import { CookieManager } from 'react-cookie-manager'; mount(h(CookieManager, {}, null));",
    },
    {
        "name": "react-cookie-manager-modal",
        "packages": ["react-cookie-manager@5.4.1", *REACT18],
        "entry": MOUNT18
        + "import { CookieManager } from 'react-cookie-manager'; mount(h(CookieManager, { displayType: 'modal' }, null));",
    },
    {
        "name": "react-cookie-consent-popup",
        "packages": ["react-cookie-consent-popup@1.5.1", *REACT18],
        "entry": MOUNT18
        + """
import { ConsentPopup, ConsentProvider } from 'react-cookie-consent-popup';
import 'react-cookie-consent-popup/styles';
const services = [{ id: 'essential', name: 'Essential', description: 'x', mandatory: true }];
mount(h(ConsentProvider, { services, options: { services } }, h(ConsentPopup, {}, 'We use cookies')));
""",
    },
    {
        "name": "react-hook-consent",
        "packages": ["react-hook-consent@3.5.3", *REACT18],
        "entry": MOUNT18
        + """
import { ConsentBanner, ConsentProvider } from 'react-hook-consent';
import 'react-hook-consent/dist/styles/style.css';
mount(h(ConsentProvider, { options: { services: [{ id: 'a', name: 'A', mandatory: true }], theme: 'light' } },
    h(ConsentBanner, { settings: {}, decline: {}, approve: {} }, 'We use cookies')));
""",
    },
    {
        "name": "c15t-react",
        "packages": ["@c15t/react@2.2.1", "react@19.2.0", "react-dom@19.2.0"],
        "entry": MOUNT18
        + """
import { ConsentManagerProvider, ConsentBanner, ConsentDialog } from '@c15t/react';
import '@c15t/react/styles.css';
mount(h(ConsentManagerProvider, { options: { mode: 'offline' } }, h(ConsentBanner), h(ConsentDialog)));
""",
    },
    {
        "name": "palmabit-react-cookie-law",
        "packages": ["@palmabit/react-cookie-law@0.7.1", "prop-types@15.8.1", *REACT16],
        # A stand-in for the module of Node.js, by which it makes random numbers.
        "prepare": "require('fs').writeFileSync('crypto.js', 'exports.randomBytes = n => new Uint8Array(n)')",
        "alias": {"crypto": "./crypto.js"},
        "entry": MOUNT16
        + "import { CookieBanner } from '@palmabit/react-cookie-law'; mount(h(CookieBanner, { message: 'We use cookies' }));",
    },
    {
        "name": "keepist-react-gdpr-cookie-banner",
        "packages": ["@keepist/react-gdpr-cookie-banner@0.4.0", "prop-types@15.8.1", *REACT18],
        "entry": MOUNT18
        + "import { CookieBanner } from '@keepist/react-gdpr-cookie-banner'; mount(h(CookieBanner, { message: 'We use cookies' }));",
    },
    {
        "name": "vue-cookie-law",
        "packages": ["vue-cookie-law@1.13.3", "vue@2.7.16"],
        "entry": """
import Vue from 'vue';
import CookieLaw from 'vue-cookie-law';
const there = document.body.appendChild(document.createElement('div'));
new Vue({ el: there, render: h => h('footer', [h(CookieLaw, { props: { theme: 'dark-lime' } })]) });
""",
    },
    {
        "name": "vue-cookieconsent-component",
        "packages": ["vue-cookieconsent-component@1.2.0", "vue@2.7.16"],
        "prepare": """
const sfc = require('vue/compiler-sfc');
const file = 'node_modules/vue-cookieconsent-component/src/components/CookieConsent.vue';
const { template, script } = sfc.parse({ source: require('fs').readFileSync(file, 'utf8') });
const render = sfc.compileTemplate({ source: template.content, filename: file }).code;
const component = script.content.replace('export default', 'const component =');
require('fs').writeFileSync('component.js', component + render + ';component.render = render;export default component;');
""",
        "entry": """
import Vue from 'vue';
import Component from './component.js';
const there = document.body.appendChild(document.createElement('div'));
new Vue({ el: there, render: h => h(Component) });
""",
        "head": "<style>.cookie-consent{position:fixed;bottom:0;left:0;right:0;background:#fd0}</style>",
    },
]
