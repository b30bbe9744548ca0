/** The package's own types, as the compiler of a user reads them from `dist`. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/** As a user has them who took the compiler's word for it: nothing of ours is mapped, libraries are checked. */
const userOptions: ts.CompilerOptions = {
  noEmit: true,
  strict: true,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
};

/** Everything the compiler has to say about files of `test/types/`. */
function complaints(names: readonly string[], options: ts.CompilerOptions = {}): string[] {
  const files = names.map((name) => `${root}test/types/${name}.ts`);
  const program = ts.createProgram(files, { ...userOptions, ...options });
  const published = program.getSourceFile(`${root}dist/cli/library.d.ts`);
  if (published === undefined) throw new Error("'jugq' did not lead to dist: build first");
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    const { file, start = 0 } = diagnostic;
    if (file === undefined) return text;
    const line = file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file.fileName.replace(root, '')}:${line.toString()}: ${text}`;
  });
}

test('what a jugfile and a program may write compiles, what they may not does not', (t) => {
  t.deepEqual(complaints(['arguments', 'declaring', 'parts', 'programs']), []);
});

test('under the strictest flags: the same', (t) => {
  const strictest = {
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
  };
  t.deepEqual(complaints(['arguments', 'declaring', 'parts', 'programs'], strictest), []);
});

test('without the types of Node: a jugfile compiles', (t) => {
  t.deepEqual(complaints(['arguments', 'declaring', 'parts'], { types: [] }), []);
});
