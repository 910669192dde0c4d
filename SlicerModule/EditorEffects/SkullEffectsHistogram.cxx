#include "SkullEffectsHistogram.h"

// Qt includes
#include <QMouseEvent>
#include <QPainter>

// STD includes
#include <algorithm>
#include <cmath>

namespace
{
/// Room below the bars for the ends of the range.
constexpr int LABELS = 16;
}

//-----------------------------------------------------------------------------
SkullEffectsHistogram::SkullEffectsHistogram(QWidget* parent)
  : QWidget(parent)
{
  this->setMinimumHeight(90);
  this->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  this->setCursor(Qt::SplitHCursor);
}

//-----------------------------------------------------------------------------
QSize SkullEffectsHistogram::sizeHint() const
{
  return QSize(220, 110);
}

//-----------------------------------------------------------------------------
void SkullEffectsHistogram::setCounts(const QVector<double>& counts, double lower, double upper, const QString& text)
{
  this->Counts = counts;
  this->Lower = lower;
  this->Upper = upper;
  this->Text = text;
  this->update();
}

//-----------------------------------------------------------------------------
void SkullEffectsHistogram::setSelection(double lower, double upper, const QColor& color)
{
  if (lower == this->Selection[0] && upper == this->Selection[1] && color == this->Color)
  {
    return;
  }
  this->Selection[0] = lower;
  this->Selection[1] = upper;
  this->Color = color;
  this->update();
}

//-----------------------------------------------------------------------------
double SkullEffectsHistogram::intensity(double x) const
{
  const double part = std::clamp(x / std::max(1, this->width()), 0., 1.);
  return this->Lower + part * (this->Upper - this->Lower);
}

//-----------------------------------------------------------------------------
double SkullEffectsHistogram::place(double intensity) const
{
  return std::clamp((intensity - this->Lower) / (this->Upper - this->Lower), 0., 1.) * this->width();
}

//-----------------------------------------------------------------------------
void SkullEffectsHistogram::paintEvent(QPaintEvent*)
{
  QPainter painter(this);
  const QPalette palette = this->palette();
  const int height = this->height() - LABELS;
  painter.fillRect(0, 0, this->width(), height, palette.color(QPalette::Base));
  if (this->Counts.isEmpty())
  {
    painter.setPen(palette.color(QPalette::Disabled, QPalette::Text));
    painter.drawText(this->rect(), Qt::AlignCenter | Qt::TextWordWrap, this->Text);
    return;
  }

  // Logarithmic: the air of a head outnumbers everything else.
  const double most = std::log1p(*std::max_element(this->Counts.begin(), this->Counts.end()));
  const QColor color[2] = { palette.color(QPalette::Mid), this->Color };
  for (int x = 0; x < this->width(); ++x)
  {
    const auto bin = [&](int at) { return std::clamp<int>(at * this->Counts.size() / this->width(), 0, this->Counts.size() - 1); };
    const double count = *std::max_element(this->Counts.begin() + bin(x), this->Counts.begin() + std::max(bin(x + 1), bin(x) + 1));
    const double value = this->intensity(x + 0.5);
    painter.setPen(color[this->Selection[0] <= value && value <= this->Selection[1]]);
    const int tall = most > 0. ? static_cast<int>(std::log1p(count) / most * (height - 4)) : 0;
    painter.drawLine(x, height - tall, x, height);
  }
  painter.setPen(palette.color(QPalette::Text));
  for (const double end : this->Selection)
  {
    const int x = std::min(static_cast<int>(this->place(end)), this->width() - 1);
    painter.drawLine(x, 0, x, height);
  }
  const QRect labels(2, height, this->width() - 4, LABELS);
  painter.drawText(labels, Qt::AlignLeft | Qt::AlignVCenter, QString::number(this->Lower, 'g', 4));
  painter.drawText(labels, Qt::AlignRight | Qt::AlignVCenter, QString::number(this->Upper, 'g', 4));
}

//-----------------------------------------------------------------------------
void SkullEffectsHistogram::mousePressEvent(QMouseEvent* event)
{
  const double x = event->pos().x();
  this->Dragged = std::abs(x - this->place(this->Selection[0])) <= std::abs(x - this->place(this->Selection[1])) ? 0 : 1;
  this->mouseMoveEvent(event);
}

//-----------------------------------------------------------------------------
void SkullEffectsHistogram::mouseMoveEvent(QMouseEvent* event)
{
  if (this->Counts.isEmpty() || !(event->buttons() & Qt::LeftButton))
  {
    return;
  }
  double selection[2] = { this->Selection[0], this->Selection[1] };
  const double value = this->intensity(event->pos().x());
  selection[this->Dragged] = this->Dragged == 0 ? std::min(value, selection[1]) : std::max(value, selection[0]);
  this->setSelection(selection[0], selection[1], this->Color);
  emit this->selectionDragged(selection[0], selection[1]);
}
