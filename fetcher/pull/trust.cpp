#include "fetcher/pull/trust.hpp"

#include <curl/curl.h>

#include <cstdlib>

namespace gantry::fetcher {
namespace {

// Where Debian keeps each trusted certificate under the hash of its name. libcurl reads it beside one file, so that
// the file may hold what the operator adds.
constexpr const char* kSystemDirectory = "/etc/ssl/certs";

}  // namespace

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
