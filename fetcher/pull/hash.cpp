#include "fetcher/pull/hash.hpp"

#include <array>
#include <string>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace gantry::fetcher {

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher(oci::Digest::Algorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  const auto* method = algorithm == oci::Digest::Algorithm::Sha256 ? EVP_sha256() : EVP_sha512();
  ENSURE(context_ != nullptr && EVP_DigestInit_ex(context_.get(), method, nullptr) == 1, "the hash cannot be set up");
}

void Hasher::update(std::string_view data) {
  ENSURE(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1, "hashing failed");
}

oci::Digest Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  ENSURE(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1, "hashing failed");
  std::string text = algorithm_ == oci::Digest::Algorithm::Sha256 ? "sha256:" : "sha512:";
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(text), "{:02x}", bytes[i]);
  return oci::Digest::parse(text).value();
}

oci::Digest digestOf(std::string_view data, oci::Digest::Algorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.update(data);
  return hasher.finish();
}

oci::Digest chainId(const oci::Digest& below, const oci::Digest& diffId) {
  return below.isEmpty() ? diffId : digestOf(below.text() + " " + diffId.text());
}

}  // namespace gantry::fetcher
