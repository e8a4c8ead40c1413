/** Where this package is, for its ES modules as for its CommonJS modules; '' where a bundler has put it somewhere else. */
exports.PACKAGE_ROOT = typeof __dirname === 'string' ? __dirname : '';
