/** One layer of a frame. */
export interface FrameLayer {
  /** "Ethernet" */
  readonly name: string;
  /** Its first byte in the frame, and the one behind its last. */
  readonly from: number;
  readonly to: number;
  /** "type 0x0800 IPv4", in the order in which they lie there. */
  readonly fields: readonly string[];
}

/** What a frame is, as far as it could be read. Texts may hold what a guest has sent: they are to be made harmless. */
export interface Frame {
  /** Addresses of the innermost layer that has any. */
  readonly source: string;
  readonly destination: string;
  /** Name of the innermost protocol that is known: "DNS". */
  readonly protocol: string;
  /** What it says, in a line. */
  readonly info: string;
  readonly layers: readonly FrameLayer[];
  /** It ends before what it should hold. */
  readonly isCut: boolean;
}

/** A frame while it is read. */
export interface FrameDraft {
  source: string;
  destination: string;
  protocol: string;
  info: string;
  readonly layers: { name: string; from: number; to: number; fields: string[] }[];
}

/** Begins a layer. Its fields are to be added as they are read, so that those before a cut are there. */
export function beginLayer(draft: FrameDraft, name: string, from: number): FrameDraft["layers"][number] {
  const layer = { name, from, to: from, fields: [] };
  draft.layers.push(layer);
  draft.protocol = name;
  return layer;
}
