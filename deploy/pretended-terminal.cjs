// Gives this process a terminal that is none, and somebody who looks around in zor tui and leaves it: a build has no terminal.
const { PassThrough, Writable } = require("node:stream");

/** What is on the screen when typing begins: the host that compiled-code.mjs adds. */
const firstRow = "h1";
/** Tables, a filter, details, help and the command line; escape last of each. */
const keys = "2,/,v,m,\x7f,\r,j,\x1b,1,S,\r,\x1b,d,j,\x1b,?,\x1b,:,p,\x1b,q".split(",");
const betweenMs = 30;

const input = Object.assign(new PassThrough(), {
  isTTY: true,
  setRawMode: () => input,
  ref: () => input,
  unref: () => input,
});
let written = "";
const output = new Writable({
  decodeStrings: false,
  write(chunk, _encoding, done) {
    if (written !== undefined) written += chunk;
    if (written?.includes(firstRow)) {
      written = undefined;
      void look();
    }
    done();
  },
});
Object.assign(output, { isTTY: true, columns: 200, rows: 50, getColorDepth: () => 24, hasColors: () => true });
for (const [name, stream] of Object.entries({ stdin: input, stdout: output })) {
  Object.defineProperty(process, name, { configurable: true, value: stream });
}

async function look() {
  for (const key of keys) {
    await new Promise((resolve) => setTimeout(resolve, betweenMs));
    input.write(key);
  }
}
