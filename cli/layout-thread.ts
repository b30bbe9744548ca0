/** Places the boxes of a graph, in a thread of its own: Graphviz gives no turn to anything else until it is done. */
import { parentPort, workerData } from 'node:worker_threads';
import { Graphviz } from '@hpcc-js/wasm-graphviz';

const graphviz = await Graphviz.load();
parentPort?.postMessage(graphviz.layout(workerData as string, 'svg', 'dot'));
