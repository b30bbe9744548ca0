/** `npm run docs`: writes the documents that are made from the program itself. */
import { writeFileSync } from 'node:fs';
import { commandsDocument } from './kit/commands-document.ts';

writeFileSync(new URL('../docs/commands.md', import.meta.url), await commandsDocument());
