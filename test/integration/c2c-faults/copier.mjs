// A TCP copy that checks itself, for tests: `copier.mjs receive IP PORT` prints what came when the sender has ended;
// `copier.mjs send IP PORT BYTES BYTES_PER_SECOND` sends pseudo-random bytes, as fast as it can with 0 or once something comes on
// standard input. Both print one JSON line.
import { createCipheriv, createHash } from "node:crypto";
import { connect, createServer } from "node:net";

const [verb, host, port, bytes, bytesPerSecond] = process.argv.slice(2);
const chunkBytes = Math.max(1024, Math.min(256 * 1024, Number(bytesPerSecond) / 20 || Number.POSITIVE_INFINITY));

function receive() {
  const server = createServer((socket) => {
    const hash = createHash("sha256");
    let received = 0;
    let longestStallMs = 0;
    let lastMs = performance.now();
    const heard = () => {
      const nowMs = performance.now();
      longestStallMs = Math.max(longestStallMs, nowMs - lastMs);
      lastMs = nowMs;
    };
    socket.on("data", (chunk) => {
      heard();
      hash.update(chunk);
      received += chunk.length;
    });
    socket.on("error", (error) => {
      console.error(`the copy broke: ${error.message}`);
      process.exit(1);
    });
    socket.on("end", () => {
      heard();
      console.log(JSON.stringify({ bytes: received, sha256: hash.digest("hex"), longestStallMs }));
      socket.end();
      server.close();
    });
  });
  server.listen(Number(port), host);
}

async function send() {
  const socket = connect(Number(port), host);
  socket.on("error", (error) => {
    console.error(`the copy broke: ${error.message}`);
    process.exit(1);
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  // The keystream of AES-CTR is as random as anything and costs next to nothing.
  const stream = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(chunkBytes);
  const hash = createHash("sha256");
  const beganMs = performance.now();
  let paced = Number(bytesPerSecond) > 0;
  process.stdin.once("data", () => {
    paced = false;
  });
  process.stdin.unref();
  for (let sent = 0; sent < Number(bytes); ) {
    const chunk = stream.update(zeros.subarray(0, Math.min(chunkBytes, Number(bytes) - sent)));
    hash.update(chunk);
    sent += chunk.length;
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
    if (paced) {
      const aheadMs = (sent / Number(bytesPerSecond)) * 1000 - (performance.now() - beganMs);
      if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }
  const sha256 = hash.digest("hex");
  socket.end();
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
  console.log(JSON.stringify({ bytes: Number(bytes), sha256 }));
}

if (verb === "receive") receive();
else await send();
