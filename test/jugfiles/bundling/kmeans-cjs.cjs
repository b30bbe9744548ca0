const { join } = require('node:path');
const { task } = require('jugq');

exports.place = task(function place(name) {
  return join('results', name);
});
