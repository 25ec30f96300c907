/** A frame that passed. */
export interface SeenFrame {
  /** Which of the interfaces it passed, in the order in which those were told. */
  readonly at: number;
  /** Microseconds since 1970, by the host's clock. */
  readonly timeUs: number;
  /** Bytes that it had; fewer may be kept. */
  readonly length: number;
  readonly data: Buffer;
  /** The packet block of pcapng that holds it. */
  readonly block: Buffer;
}

/** How frames are watched. */
export interface FrameWatch {
  /** In the language of pcap-filter(7); "": all. */
  readonly filter: string;
  readonly signal: AbortSignal;
  readonly listener: {
    /** From here on the host captures, at each interface once it is told; false: it cannot be reached any more. */
    readonly onRunning: (isRunning: boolean) => void;
    /** There is one more interface: "alpha/c1/eth0". */
    readonly onInterface: (name: string) => void;
    /** Frames, in the order of their times; one that the host told of much too late comes behind later ones. */
    readonly onFrames: (frames: readonly SeenFrame[]) => void;
    /** So many were lost, since the beginning. */
    readonly onLost: (frames: number) => void;
    /** What people should know; "": nothing any more. */
    readonly onNotice: (text: string) => void;
  };
}

/** Frames of what frames pass. */
export interface FrameSource {
  /** Tells frames until the signal aborts or the host ends it; resolves to why it ended. @throws {ZorError} when that cannot be done. */
  watch(name: string, watch: FrameWatch): Promise<string>;
  /** Writes frames into a new file here; resolves to its path. @throws {ZorError} */
  save(name: string, interfaces: readonly string[], frames: readonly SeenFrame[]): Promise<string>;
}
