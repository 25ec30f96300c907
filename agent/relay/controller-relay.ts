import { readFile, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf } from "../../lib/errors.js";
import { parseHostPort } from "../../lib/socket-address.js";
import type { ControllerState, WantedController } from "./protocol/relay-protocol.js";

/** A controller that has not taken the connection by then is as good as away, ms. */
const connectMs = 5_000;

/** The way from the switch, which has no network but the lans', to one controller: a socket of the switch's, and a connection for each of it. */
export class ControllerRelay {
  readonly #wanted: WantedController;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  #lastError = "";

  constructor(wanted: WantedController) {
    this.#wanted = wanted;
  }

  get state(): ControllerState {
    return { id: this.#wanted.id, lastError: this.#lastError };
  }

  /** Whether it does this already. */
  does(wanted: WantedController): boolean {
    return this.#server !== undefined && JSON.stringify(wanted) === JSON.stringify(this.#wanted);
  }

  async listen(): Promise<void> {
    const { socket } = this.#wanted;
    await rm(socket, { force: true });
    const server = createServer((switchSide) => void this.#serve(switchSide));
    try {
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
      server.on("error", (error) => {
        this.#lastError = messageOf(error);
      });
      this.#server = server;
    } catch (error) {
      this.#lastError = messageOf(error);
    }
  }

  /** Ends what is connected through it. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#open) socket.destroy();
  }

  async #serve(switchSide: Socket): Promise<void> {
    this.#keep(switchSide);
    switchSide.pause();
    let controllerSide: Socket;
    try {
      controllerSide = await this.#dial();
    } catch (error) {
      this.#lastError = messageOf(error);
      switchSide.destroy();
      return;
    }
    this.#keep(controllerSide);
    if (switchSide.destroyed || this.#server === undefined) {
      controllerSide.destroy();
      switchSide.destroy();
      return;
    }
    this.#lastError = "";
    // Each end is told of the other's as it comes: half of a connection is of no use to OpenFlow.
    controllerSide.on("error", (error) => {
      this.#lastError = messageOf(error);
    });
    controllerSide.once("close", () => {
      if (this.#lastError === "") this.#lastError = "the controller has closed the connection";
      switchSide.destroy();
    });
    switchSide.once("close", () => controllerSide.destroy());
    switchSide.pipe(controllerSide);
    controllerSide.pipe(switchSide);
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#open.delete(socket));
  }

  async #dial(): Promise<Socket> {
    const socket = await this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const timer = setTimeout(() => reject(new Error(`it does not answer within ${connectMs / 1000} s`)), connectMs);
    socket.once("error", reject);
    socket.once(this.#wanted.target.startsWith("ssl:") ? "secureConnect" : "connect", () => resolve(socket));
    try {
      return await promise;
    } catch (error) {
      socket.on("error", () => undefined);
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #start(): Promise<Socket> {
    const { target, keys } = this.#wanted;
    const [, kind = "", rest = ""] = /^(\w+):(.*)$/.exec(target) ?? [];
    if (kind === "unix") return connect(rest);
    const { host, port } = parseHostPort(rest) ?? { host: "", port: 0 };
    if (kind === "tcp") return connect({ host, port, noDelay: true, keepAlive: true });
    if (keys === undefined) throw new Error("there are no keys for it");
    const [ca, cert, key] = await Promise.all([keys.ca, keys.certificate, keys.key].map((file) => readFile(file)));
    return connectTls({
      ...{ host, port, ca: ca ?? "", cert: cert ?? "", key: key ?? "" },
      minVersion: "TLSv1.2",
      // Open vSwitch and its controllers go by who has signed, not by names: controllers are given as addresses.
      checkServerIdentity: () => undefined,
    });
  }
}
