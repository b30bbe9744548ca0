/** Writes the contact sheet, wherever it was computed, into a file: a program that reads results. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { connect } from 'jugq';

const path = resolve('contact-sheet.html');
const jug = await connect();
try {
  const { sheet } = await jug.load('jugfile.ts');
  await writeFile(path, String(await jug.result(sheet)));
} finally {
  await jug.close();
}
console.log(path);
