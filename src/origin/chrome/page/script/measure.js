// The document that is about to be captured: its URL and status.
async ({ want, all }) => {
    const navigation = performance.getEntriesByType('navigation')[0];
    const answer = { url: location.href, status: navigation ? navigation.responseStatus : 0, frames: all('iframe,frame,object,embed').length };
    if (want.content.length) {
        const text = document.body ? document.body.innerText : '';
        answer.content = want.content.find(wanted => text.includes(wanted));
    }
    return answer;
}
