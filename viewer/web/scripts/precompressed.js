import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { promisify } from 'node:util'

const TEXT = /\.(?:css|html|js|json|svg)$/
/** Compression of smaller files does not save a packet. */
const MIN_BYTES = 1024

/**
 * Writes a `.br` and a `.gz` file beside every text file of the build. The service sends these files.
 *
 * @returns {import('vite').Plugin}
 */
export function precompressed() {
  let directory = ''
  return {
    name: 'precompressed',
    apply: 'build',
    configResolved(config) {
      directory = join(config.root, config.build.outDir)
    },
    async closeBundle() {
      const names = await readdir(directory, { recursive: true })
      const files = names.filter((name) => TEXT.test(name)).map((name) => join(directory, name))
      await Promise.all(files.map(compress))
    },
  }
}

/** @param {string} file */
async function compress(file) {
  if ((await stat(file)).size < MIN_BYTES) return
  const bytes = await readFile(file)
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
  await writeFile(`${file}.br`, await promisify(brotliCompress)(bytes, { params: quality }))
  await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }))
}
