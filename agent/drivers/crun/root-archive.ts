import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { arch } from "node:os";
import type { ImageConfig } from "./container-image.js";
import { toImageArchitecture } from "./image-architecture.js";

const blockBytes = 512;
/** Names in the archive, as `docker save` chooses them, but for the layer: its digest is known only when it has been written. */
const [layerName, manifestName] = ["layer.tar", "manifest.json"];

/**
 * Writes an archive as `docker save` makes it, of one layer: what the layer holds comes as it is made, and its size is filled in afterwards.
 * Whatever reads such archives (here, Docker, podman) does not mind that the layer is the first.
 */
export class RootArchive {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #layerBytes = 0;

  /** @param file new and empty. */
  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Adds to the layer, which is a tar archive. */
  async add(data: Buffer): Promise<void> {
    this.#hash.update(data);
    await this.#write(data, blockBytes + this.#layerBytes);
    this.#layerBytes += data.length;
  }

  /** Ends the archive, durably. @param config how what it holds is run. */
  async finish(config: ImageConfig): Promise<void> {
    await this.#write(header(layerName, this.#layerBytes), 0);
    const text = JSON.stringify(toJson(config, this.#hash.digest("hex")));
    const configName = `${createHash("sha256").update(text).digest("hex")}.json`;
    const manifest = JSON.stringify([{ Config: configName, RepoTags: null, Layers: [layerName] }]);
    const end = [member(configName, text), member(manifestName, manifest), Buffer.alloc(2 * blockBytes)];
    await this.#write(Buffer.concat(end), blockBytes + padded(this.#layerBytes));
    await this.#file.sync();
  }

  async #write(data: Buffer, at: number): Promise<void> {
    for (let done = 0; done < data.length; ) {
      done += (await this.#file.write(data, done, data.length - done, at + done)).bytesWritten;
    }
  }
}

function toJson(config: ImageConfig, layer: string): object {
  const { environment, entrypoint, command, workingDirectory, user } = config;
  return {
    architecture: toImageArchitecture(arch()),
    os: "linux",
    config: {
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Entrypoint: entrypoint.length === 0 ? null : entrypoint,
      Cmd: command.length === 0 ? null : command,
      WorkingDir: workingDirectory,
      User: user,
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
    history: [{ created_by: "zor save" }],
  };
}

function member(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  return Buffer.concat([header(name, content.length), content, Buffer.alloc(padded(content.length) - content.length)]);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/** Of a file of ours (POSIX.1-1988, "ustar"); sizes that eleven octal digits do not say are written in binary, as GNU tar does. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(name, 0, 100, "latin1");
  for (const [at, text] of [
    [100, "0000644"],
    [108, "0000000"],
    [116, "0000000"],
    [136, "00000000000"],
    [148, "        "],
    [156, "0"],
    [257, "ustar\x0000"],
  ] as const) {
    block.write(text, at, "latin1");
  }
  if (size < 8 ** 11) block.write(size.toString(8).padStart(11, "0"), 124, "latin1");
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
