/** All files of the agent are read by four threads (libuv), and a server that does not answer holds one up: shares have two of them. */
let free = 2;
const waiting: (() => void)[] = [];

/** Works with files of a server's share; with how many at once is bounded for all shares together. */
export async function inShareTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    await promise;
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}
