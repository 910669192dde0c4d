#ifndef SkullEffectsHistogram_h
#define SkullEffectsHistogram_h

// Qt includes
#include <QColor>
#include <QVector>
#include <QWidget>

/// \brief A histogram whose selected range can be dragged.
class SkullEffectsHistogram : public QWidget
{
  Q_OBJECT

public:
  explicit SkullEffectsHistogram(QWidget* parent = nullptr);

  /// \param counts The number of voxels in each bin; none shows the text instead.
  /// \param lower Lower edge of the first bin.
  /// \param upper Upper edge of the last bin.
  void setCounts(const QVector<double>& counts, double lower, double upper, const QString& text = QString());

  /// Shows the selected range, in a colour.
  void setSelection(double lower, double upper, const QColor& color);

  QSize sizeHint() const override;

signals:
  /// The user dragged an end of the selection.
  void selectionDragged(double lower, double upper);

protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

private:
  double intensity(double x) const;
  double place(double intensity) const;

  QVector<double> Counts;
  double Lower{ 0. };
  double Upper{ 1. };
  double Selection[2]{ 0., 0. };
  QColor Color{ Qt::darkGreen };
  QString Text;
  /// Which end is dragged.
  int Dragged{ 0 };
};

#endif
