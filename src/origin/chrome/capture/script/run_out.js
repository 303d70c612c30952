// Waits until a frozen page has nothing pending. Answers with the number of its workers.
async ({ runOut }) => {
    return { workers: await runOut() };
}
