/** The pictures: 256 flags from the npm package `svg-country-flags`, drawings of 250 pixels' width. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PNG } from 'pngjs';
import { toLab, type LabPicture } from './colour.ts';

/** A picture with what people call it. */
export interface Picture {
  readonly name: string;
  /** A whole PNG file. */
  readonly png: Uint8Array;
}

const packageDirectory = join('node_modules', 'svg-country-flags');

/**
 * Reads all flags, in the order of their country codes.
 *
 * The paths start at the working directory: a jugfile's modules are bundled and have no place of their own.
 */
export function readPictures(): Picture[] {
  const countries = JSON.parse(
    readFileSync(join(packageDirectory, 'countries.json'), 'utf8'),
  ) as Record<string, string>;
  const directory = join(packageDirectory, 'png250px');
  return readdirSync(directory)
    .sort()
    .map((file) => {
      const code = basename(file, '.png').toUpperCase();
      return { name: countries[code] ?? code, png: readFileSync(join(directory, file)) };
    });
}

/**
 * Decodes a PNG file and turns its colours into CIELAB. What is transparent is seen on white paper.
 *
 * @param png - a whole PNG file
 */
export function decodePng(png: Uint8Array): LabPicture {
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  const size = width * height;
  const planes = [new Float64Array(size), new Float64Array(size), new Float64Array(size)] as const;
  for (let pixel = 0; pixel < size; pixel++) {
    const [red, green, blue] = onPaper(data, 4 * pixel);
    const [lightness, greenRed, blueYellow] = toLab(red, green, blue);
    planes[0][pixel] = lightness;
    planes[1][pixel] = greenRed;
    planes[2][pixel] = blueYellow;
  }
  return { width, height, planes };
}

/** The colour, 0 to 1, of the pixel whose red, green, blue and opacity begin at `start`, laid on white. */
function onPaper(data: Buffer, start: number): [number, number, number] {
  const opacity = data.readUInt8(start + 3) / 255;
  const paper = 1 - opacity;
  return [
    (data.readUInt8(start) / 255) * opacity + paper,
    (data.readUInt8(start + 1) / 255) * opacity + paper,
    (data.readUInt8(start + 2) / 255) * opacity + paper,
  ];
}
