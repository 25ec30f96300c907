import { join } from "node:path";
import { timeLimit } from "../../../lib/time-limit.js";
import { findMicroImage } from "../images.js";
import type { QemuDriverOptions } from "./driver-options.js";
import { findQemuVersion } from "./fingerprint.js";
import { type KvmVerdict, probeKvm } from "./kvm-probe.js";

const probeTimeoutMs = 30_000;

/** Tells whether KVM works on this host. */
export class KvmVerdicts {
  readonly #options: QemuDriverOptions;
  #probing: Promise<KvmVerdict> | undefined;

  constructor(options: QemuDriverOptions) {
    this.#options = options;
  }

  /** One probe at a time; its verdict is kept on disk. Not bound to any caller's signal, since others wait for it too. */
  find(): Promise<KvmVerdict> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  async #probe(): Promise<KvmVerdict> {
    if (this.#options.probeKvm !== undefined) return await this.#options.probeKvm();
    const signal = timeLimit(probeTimeoutMs);
    const qemu = await findQemuVersion(signal);
    if ("missing" in qemu) return { works: false, reason: qemu.missing };
    const microImage = await findMicroImage(this.#options.imageDirectories);
    const cacheFile = join(this.#options.stateDirectory, "kvm.json");
    return await probeKvm({ microImage, qemuVersion: qemu.version, cacheFile, signal });
  }
}
