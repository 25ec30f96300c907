import type { Picture, PictureArea } from "../../tui/kit/cells/picture-cells.js";
import type { MachineScreens, MachineView, ScreenRequest } from "../../tui/screens/machine-screen/screen-opener.js";

/** Screens of machines that show what a test says. */
export class FakeScreens implements MachineScreens, MachineView {
  readonly commonKeys = ["ctrl-alt-delete", "alt-f4"];
  readonly #calls: string[];
  request: ScreenRequest | undefined;
  picture: Picture | undefined;
  changed: PictureArea | undefined;
  failure: Error | undefined;

  constructor(calls: string[]) {
    this.#calls = calls;
  }

  open(name: string, request: ScreenRequest): MachineView {
    this.#calls.push(`look ${name}`);
    this.request = request;
    return this;
  }

  takeChanged(): PictureArea | undefined {
    return this.changed;
  }

  type(data: string): void {
    this.#calls.push(`type ${data}`);
  }

  press(keys: string): void {
    if (this.failure !== undefined) throw this.failure;
    this.#calls.push(`press ${keys}`);
  }

  async save(name: string): Promise<string> {
    this.#calls.push(`save ${name}`);
    if (this.failure !== undefined) throw this.failure;
    return "/tmp/vm0.png";
  }
}
