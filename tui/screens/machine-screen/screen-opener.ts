import type { Picture, PictureArea } from "../../kit/cells/picture-cells.js";

/** The screen of a machine, with its keyboard. */
export interface MachineView {
  /** What it shows; undefined: it is not there yet. */
  readonly picture: Picture | undefined;
  /** What of it has changed since that was last asked. */
  takeChanged(): PictureArea | undefined;
  /** Presses the keys that a terminal sends so. */
  type(data: string): void;
  /** Presses keys together: "ctrl-alt-delete". @throws {ZorError} when there are no such keys. */
  press(keys: string): void;
}

/** How a screen is looked at. */
export interface ScreenRequest {
  readonly signal: AbortSignal;
  readonly listener: {
    /** It shows something else. */
    readonly onChanged: () => void;
    /** It is not there, and is tried again. */
    readonly onLost: (why: string) => void;
  };
}

/** Looks at screens of "hosts/{host}/instances/{instance}". */
export interface MachineScreens {
  open(name: string, request: ScreenRequest): MachineView;
  /** Takes a picture into a new file here; resolves to its path. @throws {ZorError} */
  save(name: string, signal: AbortSignal): Promise<string>;
  /** Keys that are asked for most. */
  readonly commonKeys: readonly string[];
}
