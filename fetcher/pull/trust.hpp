// Whose certificates a TLS server may show: those the system trusts, and what the operator adds.
#pragma once

#include <string>

#include "base/result.hpp"

namespace gantry::fetcher {

// The content of `caFile`, which is read by us since nobody else may be able to; nothing when it is empty.
Result<std::string> readCertificates(const std::string& caFile);

// `easy` is a libcurl handle (CURL*); `certificates` is PEM, may be empty, and must outlive the handle's requests. The
// variables SSL_CERT_FILE and SSL_CERT_DIR replace what the system trusts, as they do for other programs.
void trustCertificates(void* easy, const std::string& certificates);

}  // namespace gantry::fetcher
