#include "fetcher/pull/trust.hpp"

#include <curl/curl.h>

#include <cstdlib>

#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

// Where Debian keeps each trusted certificate under the hash of its name. libcurl reads it beside one file, so that
// the file may hold what the operator adds.
constexpr const char* kSystemDirectory = "/etc/ssl/certs";

constexpr std::size_t kMaxCertificates = 16U << 20U;

}  // namespace

Result<std::string> readCertificates(const std::string& caFile) {
  if (caFile.empty()) return std::string();
  TRY(std::string certificates, kernel::readFile(caFile, kMaxCertificates).under("ca_file"));
  if (certificates.find("-----BEGIN") == std::string::npos) {
    return Error::invalid("ca_file", "'" + caFile + "' holds no PEM certificates");
  }
  return certificates;
}

void trustCertificates(void* easy, const std::string& certificates) {
  const char* file = std::getenv("SSL_CERT_FILE");
  const char* directory = std::getenv("SSL_CERT_DIR");
  if (file != nullptr && *file != '\0') curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  curl_easy_setopt(easy, CURLOPT_CAPATH, directory != nullptr && *directory != '\0' ? directory : kSystemDirectory);
  if (certificates.empty()) return;
  curl_blob blob{const_cast<char*>(certificates.data()), certificates.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
}

}  // namespace gantry::fetcher
