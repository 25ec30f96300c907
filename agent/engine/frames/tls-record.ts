import { createHmac } from "node:crypto";
import koffi from "koffi";
import { NativeMemory } from "../../../lib/libc.js";
import { ProtocolError } from "./frame.js";

/**
 * The TLS 1.3 record layer (RFC 8446, section 5) for TLS_AES_128_GCM_SHA256, working on native memory without allocation.
 * Node's tls does the handshake; from then on a connection's two directions are sealed and opened here, so that the bytes never
 * pass through Node's streams. This is what kernel TLS does, in the process: one call chain per record into the OpenSSL that is part of Node.
 */

// Node exports the OpenSSL it is linked with, for addons; see native.ts for the casts.
const openssl = koffi.load(null);
const EVP_CIPHER_fetch = openssl.func(
  "void *EVP_CIPHER_fetch(void *library, const char *name, const char *properties)",
) as unknown as (library: null, name: string, properties: null) => bigint | null;
const EVP_CIPHER_CTX_new = openssl.func("void *EVP_CIPHER_CTX_new()") as unknown as () => bigint | null;
const EVP_CIPHER_CTX_free = openssl.func("void EVP_CIPHER_CTX_free(size_t context)") as unknown as (
  context: number,
) => void;
const initPrototype = "(size_t context, size_t cipher, size_t engine, size_t key, size_t iv)";
type Init = (context: number, cipher: number, engine: number, key: number, iv: number) => number;
const EVP_EncryptInit_ex = openssl.func(`int EVP_EncryptInit_ex${initPrototype}`) as unknown as Init;
const EVP_DecryptInit_ex = openssl.func(`int EVP_DecryptInit_ex${initPrototype}`) as unknown as Init;
const updatePrototype = "(size_t context, size_t out, size_t outLength, size_t source, int length)";
type Update = (context: number, out: number, outLength: number, source: number, length: number) => number;
const EVP_EncryptUpdate = openssl.func(`int EVP_EncryptUpdate${updatePrototype}`) as unknown as Update;
const EVP_DecryptUpdate = openssl.func(`int EVP_DecryptUpdate${updatePrototype}`) as unknown as Update;
type Final = (context: number, out: number, outLength: number) => number;
const EVP_EncryptFinal_ex = openssl.func(
  "int EVP_EncryptFinal_ex(size_t context, size_t out, size_t outLength)",
) as unknown as Final;
const EVP_DecryptFinal_ex = openssl.func(
  "int EVP_DecryptFinal_ex(size_t context, size_t out, size_t outLength)",
) as unknown as Final;
const EVP_CIPHER_CTX_ctrl = openssl.func(
  "int EVP_CIPHER_CTX_ctrl(size_t context, int type, int argument, size_t pointer)",
) as unknown as (context: number, type: number, argument: number, pointer: number) => number;
const [EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG] = [0x10, 0x11];

const aes128Gcm = EVP_CIPHER_fetch(null, "AES-128-GCM", null);

/** The one cipher suite of cables: every TLS 1.3 implementation has it (RFC 8446, 9.1), and it is the fastest with AES instructions. */
export const cipherSuite = "TLS_AES_128_GCM_SHA256";

/** Most plaintext in one record. */
export const maxPlaintextBytes = 16_384;
/** Record header. */
export const recordHeaderBytes = 5;
/** What sealing adds to the plaintext of a record: header, content type, tag. */
const recordOverheadBytes: number = recordHeaderBytes + 1 + 16;
/** Longest record on the wire (RFC 8446, 5.2). */
export const maxRecordBytes: number = recordHeaderBytes + maxPlaintextBytes + 256;

/** Content types. */
export const contentType = { alert: 21, handshake: 22, applicationData: 23 } as const;

/** Records sealed with one key before the key is updated; RFC 8446, 5.5 allows 2^24.5. */
export const recordsPerKey: number = 2 ** 22;

/** The traffic state of one direction: what another thread needs to go on where this one stopped. */
export interface TrafficState {
  /** Application traffic secret, 32 bytes. */
  readonly secret: Uint8Array;
  /** Number of the next record. */
  readonly sequence: number;
}

/** Frees the contexts of handshakes that were given up; a peer could otherwise fill the memory with them. */
const forgotten = new FinalizationRegistry<number>((context) => EVP_CIPHER_CTX_free(context));

/** Keys, nonce and cipher context of one direction. */
class TrafficKeys {
  readonly context: number;
  readonly scratch: NativeMemory;
  readonly #init: Init;
  readonly #iv = Buffer.alloc(12);
  #secret: Buffer;
  sequence: number;

  constructor(state: TrafficState, init: Init) {
    const context = EVP_CIPHER_CTX_new();
    if (context === null) throw new Error("OpenSSL has no memory for a cipher context");
    this.context = Number(context);
    forgotten.register(this, this.context, this);
    // Layout: nonce 0..11, key 16..31, additional data 32..36, out length 40..43, tag 48..63.
    this.scratch = new NativeMemory(64);
    this.#init = init;
    this.#secret = Buffer.from(state.secret);
    this.sequence = state.sequence;
    this.#installKey();
  }

  get state(): TrafficState {
    return { secret: Buffer.from(this.#secret), sequence: this.sequence };
  }

  /** Sets the nonce of the next record and counts it. */
  nextNonce(): number {
    const { buffer, address } = this.scratch;
    const iv = this.#iv;
    const sequence = this.sequence;
    this.sequence = sequence + 1;
    const high = Math.floor(sequence / 0x1_0000_0000);
    for (let index = 0; index < 4; index += 1) {
      const shift = 24 - 8 * index;
      buffer[4 + index] = (iv[4 + index] ?? 0) ^ ((high >>> shift) & 255);
      buffer[8 + index] = (iv[8 + index] ?? 0) ^ ((sequence >>> shift) & 255);
    }
    return address;
  }

  /** RFC 8446, 7.2: the next secret of this direction. */
  update(): void {
    this.#secret = expandLabel(this.#secret, "traffic upd", 32);
    this.sequence = 0;
    this.#installKey();
  }

  free(): void {
    // Only once, or a context that somebody else has by now would be freed.
    if (forgotten.unregister(this)) EVP_CIPHER_CTX_free(this.context);
  }

  #installKey(): void {
    if (aes128Gcm === null) throw new Error("OpenSSL has no AES-128-GCM");
    const { buffer, address } = this.scratch;
    buffer.set(expandLabel(this.#secret, "key", 16), 16);
    this.#iv.set(expandLabel(this.#secret, "iv", 12));
    buffer.set(this.#iv, 0);
    if (this.#init(this.context, Number(aes128Gcm), 0, address + 16, address) !== 1) {
      throw new Error("OpenSSL refused the key of a connection");
    }
    buffer.fill(0, 16, 32);
  }
}

/** Bytes of a buffer from `start` up to, not including, `end`. Its owner may move it between calls, so that none is made for each. */
export interface Span {
  readonly memory: NativeMemory;
  readonly start: number;
  readonly end: number;
}

/** Seals records of one direction. */
export class RecordSealer {
  readonly #keys: TrafficKeys;
  /** Where the next record goes. */
  #target: NativeMemory;
  #to = 0;

  constructor(state: TrafficState) {
    this.#keys = new TrafficKeys(state, EVP_EncryptInit_ex);
    this.#target = this.#keys.scratch;
  }

  get state(): TrafficState {
    return this.#keys.state;
  }

  /**
   * Seals the bytes from `start` up to `end` into as few records as it takes, at the beginning of the target, and returns how many
   * bytes these are. The byte at `end` is used while sealing and restored. `target` needs {@link sealedBytes} of room.
   */
  seal(source: NativeMemory, start: number, end: number, target: NativeMemory): number {
    this.#target = target;
    this.#to = 0;
    let from = start;
    while (from < end) {
      if (this.#keys.sequence >= recordsPerKey) this.#updateKey();
      const next = Math.min(end, from + maxPlaintextBytes);
      this.#sealOne(source, from, next, contentType.applicationData);
      from = next;
    }
    return this.#to;
  }

  free(): void {
    this.#keys.free();
  }

  #updateKey(): void {
    // KeyUpdate, update_not_requested (RFC 8446, 4.6.3); one byte of room for the content type.
    const message = new NativeMemory(6);
    message.buffer.set([24, 0, 0, 1, 0, 0]);
    this.#sealOne(message, 0, 5, contentType.handshake);
    this.#keys.update();
  }

  #sealOne(source: NativeMemory, start: number, end: number, type: number): void {
    const { context, scratch } = this.#keys;
    const target = this.#target;
    const to = this.#to;
    const inner = end - start + 1;
    const sealed = inner + 16;
    const out = target.buffer;
    out[to] = contentType.applicationData;
    out[to + 1] = 3;
    out[to + 2] = 3;
    out[to + 3] = sealed >>> 8;
    out[to + 4] = sealed & 255;
    const saved = source.buffer[end] ?? 0;
    source.buffer[end] = type;
    const payload = target.address + to + recordHeaderBytes;
    const outLength = scratch.address + 40;
    const good =
      EVP_EncryptInit_ex(context, 0, 0, 0, this.#keys.nextNonce()) === 1 &&
      EVP_EncryptUpdate(context, 0, outLength, target.address + to, recordHeaderBytes) === 1 &&
      EVP_EncryptUpdate(context, payload, outLength, source.address + start, inner) === 1 &&
      EVP_EncryptFinal_ex(context, payload + inner, outLength) === 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, payload + inner) === 1;
    source.buffer[end] = saved;
    if (!good) throw new Error("OpenSSL could not seal a record");
    this.#to += recordHeaderBytes + sealed;
  }
}

/** Room that sealing `length` bytes may need, with a key update on the way. */
export function sealedBytes(length: number): number {
  return length + Math.ceil(length / maxPlaintextBytes) * recordOverheadBytes + 64;
}

/** What {@link RecordOpener.open} found. */
export interface OpenedRecords {
  /** Where the first incomplete record begins. */
  consumedTo: number;
  /** Where the plaintext now ends in the target. */
  plainEnd: number;
  /** The peer has ended the connection in an orderly way. */
  closed: boolean;
}

/** Opens records of one direction. */
export class RecordOpener {
  readonly #keys: TrafficKeys;
  readonly #result: OpenedRecords = { consumedTo: 0, plainEnd: 0, closed: false };

  constructor(state: TrafficState) {
    this.#keys = new TrafficKeys(state, EVP_DecryptInit_ex);
  }

  get state(): TrafficState {
    return this.#keys.state;
  }

  /**
   * Opens all whole records of the source into the target from `to` on, as far as there is room for them before `end`.
   * The result object is reused by the next call.
   * @throws {ProtocolError} when a record is malformed or was not sealed by the peer.
   */
  open(source: Span, target: NativeMemory, to: number, end: number): OpenedRecords {
    const result = this.#result;
    result.consumedTo = source.start;
    result.plainEnd = to;
    result.closed = false;
    while (source.end - result.consumedTo >= recordHeaderBytes && !result.closed) {
      const at = result.consumedTo;
      const length = recordLength(source.memory.buffer, at);
      if (at + recordHeaderBytes + length > source.end || result.plainEnd + length > end) break;
      const inner = this.#openOne(source.memory, at, target, result.plainEnd);
      result.consumedTo = at + recordHeaderBytes + length;
      this.#take(target.buffer, inner, result);
    }
    return result;
  }

  /** Whether the record at `at` is the next of this direction. Counts it if so; changes nothing if not. */
  matches(source: NativeMemory, at: number, target: NativeMemory): boolean {
    const { sequence } = this.#keys;
    try {
      this.#openOne(source, at, target, 0);
      return true;
    } catch {
      this.#keys.sequence = sequence;
      return false;
    }
  }

  free(): void {
    this.#keys.free();
  }

  /** Opens the whole record at `at` and returns the length of its inner plaintext. */
  #openOne(source: NativeMemory, at: number, target: NativeMemory, to: number): number {
    const { context, scratch } = this.#keys;
    const inner = recordLength(source.buffer, at) - 16;
    const payload = source.address + at + recordHeaderBytes;
    const outLength = scratch.address + 40;
    const good =
      EVP_DecryptInit_ex(context, 0, 0, 0, this.#keys.nextNonce()) === 1 &&
      EVP_DecryptUpdate(context, 0, outLength, source.address + at, recordHeaderBytes) === 1 &&
      EVP_DecryptUpdate(context, target.address + to, outLength, payload, inner) === 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, payload + inner) === 1 &&
      EVP_DecryptFinal_ex(context, target.address + to + inner, outLength) === 1;
    if (!good) throw new ProtocolError("the peer sent a record that its key did not seal");
    return inner;
  }

  /** Looks at the content type behind the plaintext and its padding. */
  #take(plain: Uint8Array, inner: number, result: OpenedRecords): void {
    const begin = result.plainEnd;
    let last = begin + inner - 1;
    while (last >= begin && plain[last] === 0) last -= 1;
    if (last < begin) throw new ProtocolError("the peer sent a record without content type");
    switch (plain[last]) {
      case contentType.applicationData:
        result.plainEnd = last;
        return;
      case contentType.alert:
        result.closed = true;
        return;
      case contentType.handshake:
        this.#takeHandshake(plain.subarray(begin, last));
        return;
      default:
        throw new ProtocolError(`the peer sent a record of content type ${plain[last] ?? 0}`);
    }
  }

  /** After the handshake only session tickets, which are not used, and key updates come. */
  #takeHandshake(message: Uint8Array): void {
    const [newSessionTicket, keyUpdate] = [4, 24];
    if (message[0] === newSessionTicket) return;
    if (message[0] === keyUpdate && message.length === 5) {
      this.#keys.update();
      return;
    }
    throw new ProtocolError(`the peer sent handshake message ${message[0] ?? 0} on an open connection`);
  }
}

/** Checks a record header and returns the length of what follows it. */
export function recordLength(source: Uint8Array, at: number): number {
  const length = ((source[at + 3] ?? 0) << 8) | (source[at + 4] ?? 0);
  if (source[at] !== contentType.applicationData || length < 17 || length > maxPlaintextBytes + 256) {
    throw new ProtocolError(`the peer sent a record of type ${source[at] ?? 0} and length ${length}`);
  }
  return length;
}

/** HKDF-Expand-Label with SHA-256 and an empty context (RFC 8446, 7.1), for at most one hash of output. */
function expandLabel(secret: Uint8Array, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`, "ascii");
  const info = Buffer.concat([Buffer.from([length >>> 8, length & 255, full.length]), full, Buffer.from([0, 1])]);
  return createHmac("sha256", secret).update(info).digest().subarray(0, length);
}
